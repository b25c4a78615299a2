"""The rehearsal device keeps the contract of queued devices, whatever provider it rehearses."""

import numpy as np
import pytest
from queued_contract import ANSATZ, QueuedContract, part
from rehearsing import FREE, Rehearsed, outcome

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.sampler import SampleKey
from qhn.devices import make_device
from qhn.devices.queued import Part
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.presets import PRESETS
from qhn.devices.rehearsal.words import ProviderError


@pytest.fixture
def together(world):
    return world.access.behaviour.parts_per_job


class TestPresets(QueuedContract):
    @pytest.fixture(params=PRESETS)
    def world(self, request, tmp_path):
        rehearsed = Rehearsed(tmp_path, preset=request.param)
        yield rehearsed
        rehearsed.close()

    def test_too_many_parts_are_refused(self, handle, together):
        with pytest.raises(ProviderError, match=f"{together + 1} parts, which exceeds"):
            handle.submit("qhn-s-t-0-0", [part(shots=1, step=n) for n in range(together + 1)])

    def test_the_provider_promises_what_the_handle_promises(self, world, handle):
        assert world.access.provider.submission == handle.capabilities.submission


class TestSpedUp(QueuedContract):
    """All times are a thousandth."""

    @pytest.fixture
    def world(self, tmp_path):
        rehearsed = Rehearsed(tmp_path, speedup=1000.0)
        yield rehearsed
        rehearsed.close()


@pytest.fixture
def world(tmp_path):
    rehearsed = Rehearsed(tmp_path, **FREE)
    yield rehearsed
    rehearsed.close()


def test_samples_are_those_of_the_exact_device_whatever_job_they_are_in(world):
    """Also in a job with another circuit, submitted and fetched by handles of another circuit."""
    other = Ansatz.brickwork(n_qubits=2, depth=3)
    rng = np.random.default_rng(3)
    parts = [
        Part(ansatz, rng.uniform(0, 6, (5, *ansatz.parameter_shape)), 300, SampleKey("t", 9, step))
        for step, ansatz in enumerate([ANSATZ, other, ANSATZ])
    ]
    handle = world.open()
    job = handle.submit("qhn-s-t-0-0", parts)
    alone = [handle.submit(f"qhn-s-t-{n}-1", [one]) for n, one in enumerate(parts)]
    world.wait(1e4)
    samples = world.open().fetch(job)
    for one, drawn, job in zip(parts, samples, alone, strict=True):
        with make_device("exact", shots=300).open(one.ansatz) as exact:
            expected = exact.sample(one.sets, 300, one.key)
        assert np.array_equal(drawn, expected)
        assert np.array_equal(handle.fetch(job)[0], expected)


@pytest.mark.parametrize("noise", [None, 0.03, {"p1": 0.01, "p2": 0.1}])
def test_noise_is_that_of_the_trial_that_fetches(tmp_path, noise):
    """A trial without noise leads the job; each gets what it would get alone on ``exact``."""
    access = RehearsalAccess(folder=str(tmp_path), speedup=1e9)
    one = part(shots=400)
    with (
        make_device("rehearsal").open(ANSATZ, access) as leader,
        make_device("rehearsal", noise=noise).open(ANSATZ, access) as follower,
        make_device("exact", shots=400, noise=noise).open(ANSATZ) as exact,
    ):
        job = leader.submit("a", [part(step=1), one])
        assert np.array_equal(follower.fetch(job)[1], exact.sample(one.sets, 400, one.key))
        differs = not np.array_equal(follower.fetch(job)[1], leader.fetch(job)[1])
        assert differs == (noise is not None)


def test_what_was_kept_is_what_was_submitted(world):
    """Angles bit for bit, and seeds that are larger than the integers of SQLite."""
    sets = np.array([0.1, -0.0, 5e-324, 1e300] * 3).reshape(1, 2, 2, 3)[:, :, :, ::-1]
    handle = world.open()
    job = handle.submit("a", [part(sets, seed=2**70, step=2**40, trial="ä")])
    world.finish(job)
    (kept,) = handle._provider.parts(job)
    assert kept.sets.tobytes() == np.ascontiguousarray(sets).tobytes()
    assert (kept.ansatz, kept.shots, kept.key) == (ANSATZ, 20, SampleKey("ä", 2**70, 2**40))


def test_a_token_is_for_one_job_only(world):
    handle = world.open(preset="braket")
    handle.submit("a", [part()])
    for other in (part(step=1), part(shots=21), part(part().sets + 1e-15), part(trial="t1")):
        assert "other content" in str(outcome(handle.submit, "a", [other]))
    assert [event.kind for event in world.record().refusals()] == ["content"] * 4


def test_without_a_folder_all_is_gone_in_the_end():
    device = make_device("rehearsal", shots=20)
    with device.open(ANSATZ, RehearsalAccess(speedup=1e9)) as handle:
        handle.fetch(handle.submit("a", [part()]))
        place = handle._provider._file.path
        assert place.is_file()
    assert not place.parent.exists()


def test_access_of_another_device_is_refused():
    with pytest.raises(InvalidValueError, match="RehearsalAccess, but got dict"):
        make_device("rehearsal").open(ANSATZ, {"preset": "iqm"})
