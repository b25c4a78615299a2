"""The settings of the rehearsal device: presets, ranges, prices, folders."""

import json
from dataclasses import asdict, fields

import pytest

from qhn.core.errors import InvalidValueError
from qhn.devices import make_device
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.presets import PRESETS, Behaviour


def test_every_setting_of_a_preset_can_be_given():
    names = {field.name for field in fields(RehearsalAccess)}
    assert {field.name for field in fields(Behaviour)} <= names


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_not_given_is_that_of_the_preset(name):
    assert RehearsalAccess(name).behaviour == PRESETS[name]
    changed = RehearsalAccess(name, queue_s=0.0, pending=7).behaviour
    assert (changed.queue_s, changed.pending) == (0.0, 7)
    assert changed.price_second == PRESETS[name].price_second


def test_all_settings_go_through_json():
    access = RehearsalAccess("iqm", queue_s=3.5, folder="/tmp/x", seed=2)
    assert RehearsalAccess(**json.loads(json.dumps(asdict(access)))) == access


def test_the_default_is_the_open_plan_of_ibm():
    provider = RehearsalAccess().provider
    assert (provider.pending, provider.submissions_per_minute) == (3, 5)
    assert provider.submission == "findable"
    # 37 sets of angles and 256 shots: 2 s for the job, and 250 µs for each execution.
    seconds = provider.qpu_seconds(37 * 256)
    assert seconds == pytest.approx(4.368)
    assert provider.cost(37 * 256, seconds) == pytest.approx(1.60 * 4.368)
    assert provider.currency == "rehearsed USD"


def test_prices_have_four_parts():
    access = RehearsalAccess(price_job=1.0, price_shot=0.1, price_second=2.0, price_minimum=9.0)
    assert access.provider.cost(10, 3.0) == 9.0
    assert access.provider.cost(30, 3.0) == 10.0


def test_a_speedup_shortens_minutes_and_changes_no_price():
    slow, fast = RehearsalAccess().provider, RehearsalAccess(speedup=120).provider
    assert (slow.minute_s, fast.minute_s) == (60.0, 0.5)
    assert slow.qpu_seconds(100) == fast.qpu_seconds(100)
    assert slow.queue_s == fast.queue_s


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "ibm"}, "preset must be one of ibm-open, braket, iqm, but got 'ibm'"),
        ({"submission": "maybe"}, "submission must be one of idempotent, findable, neither, but"),
        ({"queue_spread": "normal"}, "queue_spread must be one of exponential, constant, but got"),
        ({"pending": 0}, "`pending >= 1` must hold, but got pending=0"),
        ({"session_jobs": 2.5}, "session_jobs must be a whole number, but got session_jobs=2.5"),
        ({"queue_s": -1}, "`queue_s >= 0` must hold, with a finite number, but got queue_s=-1"),
        ({"price_shot": float("inf")}, "`price_shot >= 0` must hold, with a finite number, but"),
        ({"timeout_rate": 1.1}, "`0 <= timeout_rate <= 1` must hold, with a finite number, but"),
        ({"failure_rate": "often"}, "`0 <= failure_rate <= 1` must hold, with a finite number"),
        ({"speedup": 0}, "`speedup > 0` must hold, but got speedup=0"),
        ({"seed": -1}, "`seed >= 0` must hold, but got seed=-1"),
        ({"job_s": 0, "execution_s": 0}, "a job must take some time of the processor, but"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(InvalidValueError) as caught:
        RehearsalAccess(**settings)
    assert message in str(caught.value)


@pytest.mark.parametrize("shots", [0, -4, 10**7 + 1, 2.5, None])
def test_shots_that_make_no_sense_are_refused(shots):
    with pytest.raises(InvalidValueError, match="shots"):
        make_device("rehearsal", shots=shots)


class TestFolders:
    def test_a_label_names_the_queue_and_the_folder_in_the_store(self):
        access = RehearsalAccess()
        assert access.queue("qpu a_1") == "rehearsal-qpu-a-1"
        assert access.placed("/store/devices", "qpu-a").folder == "/store/devices/rehearsal-qpu-a"

    def test_the_queue_stays_the_same_when_the_folder_is_filled_in(self):
        placed = RehearsalAccess().placed("/store/devices", "qpu-a")
        assert placed.queue("qpu-a") == RehearsalAccess().queue("qpu-a")
        assert placed.placed("/elsewhere", "qpu-a") == placed

    def test_one_folder_is_one_queue_whatever_the_labels_are(self, tmp_path, monkeypatch):
        here = RehearsalAccess(folder=str(tmp_path / "qpu"))
        monkeypatch.chdir(tmp_path)
        same = RehearsalAccess(folder="qpu").placed("/store", "b")
        assert same.folder == here.folder
        assert here.queue("a") == same.queue("b") == RehearsalAccess(folder="qpu").queue("c")
        assert here.queue("a") != RehearsalAccess(folder=str(tmp_path)).queue("a")
        assert here.queue("a").replace("-", "").isalnum()
