"""IBM processors: jobs in Qiskit Runtime's local mode, behind a scripted service."""

from __future__ import annotations

import json

import numpy as np
import pytest
from oracles import circuit
from scripted_runtime import ScriptedService, failed, real_sampler_for
from test_contract import ANGLES, ANSATZ, KEY, SETS

from qhn.core.ansatz import Ansatz
from qhn.core.errors import DeviceError, InvalidValueError
from qhn.devices import make_device
from qhn.devices.qiskit import runtime
from qhn.devices.qiskit.access import RuntimeAccess
from qhn.devices.queued import JobReport, Part, QueuedHandle
from qhn.lanes.failures import TABLE, Verdict, classify

DEVICE = make_device("qiskit", backend="ibm_nairobi", shots=400)
LARGER = Ansatz.brickwork(4, 1)


@pytest.fixture
def service(monkeypatch):
    scripted = ScriptedService()
    monkeypatch.setattr(runtime, "sampler_for", scripted.sampler_for)
    return scripted


@pytest.fixture
def handle(service):
    with runtime.RuntimeHandle(DEVICE, ANSATZ, RuntimeAccess(), service) as opened:
        yield opened


def part(sets=SETS, ansatz=ANSATZ, shots=400):
    return Part(ansatz, sets, shots, KEY)


def test_a_job_has_the_parts_of_several_trials_and_their_own_shots(handle, service):
    other = np.zeros((2, *LARGER.parameter_shape))
    other[1, 0, 0, :] = [np.pi, 0, 0, np.pi]
    job_id = handle.submit("s-1", [part(), part(other, LARGER, shots=50)])
    [job] = service.submitted
    assert job.job_id() == job_id and job.tags == ["qhn", "s-1"]
    first, second = handle.fetch(job_id)
    assert first.shape == (3, 400) and second.shape == (2, 50)
    assert first.dtype == second.dtype == np.int64
    for drawn, angles in zip(first, SETS, strict=True):
        seen, q = np.bincount(drawn, minlength=8) / 400, circuit.probabilities(ANSATZ, angles)
        assert np.abs(seen - q).sum() / 2 < 0.2  # the noise of the processor
    # Qubit 0 is the highest bit.
    assert [np.bincount(drawn).argmax() for drawn in second] == [0b0000, 0b1001]


def test_a_handle_of_another_process_fetches_the_same_samples(handle, service):
    job_id = handle.submit("s-1", [part()])
    with runtime.RuntimeHandle(DEVICE, LARGER, RuntimeAccess(), service) as other:
        assert np.array_equal(other.fetch(job_id)[0], handle.fetch(job_id)[0])


def test_it_is_a_queued_handle_and_nothing_else(handle):
    assert isinstance(handle, QueuedHandle)
    assert handle.capabilities == DEVICE.capabilities
    assert handle.capabilities.queued and not handle.capabilities.reproducible
    assert handle.capabilities.submission == "findable"
    assert handle.name == "qiskit" and handle.ansatz == ANSATZ


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("INITIALIZING", "queued"),
        ("QUEUED", "queued"),
        ("RUNNING", "running"),
        ("DONE", "done"),
        ("CANCELLED", "failed"),
        ("ERROR", "failed"),
        ("A NEW WORD", "queued"),
    ],
)
def test_every_status_has_a_phase(handle, service, status, phase):
    job_id = handle.submit("s-1", [part()])
    service.submitted[0].status_ = status
    assert handle.look(job_id).phase == phase
    if phase != "done":
        with pytest.raises(DeviceError, match=f"but d0000 is {status}"):
            handle.fetch(job_id)


def test_a_report_has_the_times_the_usage_and_the_calibration(handle, service):
    job_id = handle.submit("s-1", [part()])
    found = handle.look(job_id)
    assert found == JobReport(
        "done",
        shots=3 * 400,
        qpu_seconds=4.4,
        queued_s=60.0,
        executing_s=4.5,
        calibrated=found.calibrated,
    )
    assert found.calibrated.startswith("20")
    service.submitted[0].status_ = "RUNNING"
    assert handle.look(job_id) == JobReport("running", queued_s=60.0, shots=None)
    service.submitted[0].status_, service.submitted[0].usage_s = "DONE", None
    assert handle.look(job_id).qpu_seconds is None


def test_a_failed_job_says_why_in_the_words_of_the_platform(handle, service):
    job_id = handle.submit("s-1", [part()])
    job = service.submitted[0]
    job.status_, job.message = "ERROR", "Error code 8000; the control system lost the lock"
    assert handle.look(job_id).why == job.message
    assert handle.look(job_id).qpu_seconds == 4.4  # it may be billed
    job.message = None
    assert "gives no reason" in handle.look(job_id).why
    job.status_ = "CANCELLED"
    assert handle.look(job_id).why == "the job was cancelled"


def test_the_local_mode_has_an_enum_for_a_status(handle, service, monkeypatch):
    job_id = handle.submit("s-1", [part()])
    local = service.submitted[0].local
    local.result()
    monkeypatch.setattr(service, "job", lambda job_id: local)
    assert handle.look(job_id).phase == "done"
    assert handle.look(job_id).qpu_seconds == 0
    assert handle.fetch(job_id)[0].shape == (3, 400)


def test_a_lost_id_is_found_by_its_tag_once_the_listing_shows_it(handle, service):
    service.lost, service.lag = TimeoutError("Read timed out."), 2
    handle_of_another = make_device("qiskit", backend="ibm_nairobi")
    with pytest.raises(TimeoutError) as caught:
        handle.submit("s-1", [part()])
    assert classify(caught.value, "submit") is Verdict.REATTACH
    service.lost = None
    handle.submit("s-2", [part()])
    with runtime.RuntimeHandle(handle_of_another, ANSATZ, RuntimeAccess(), service) as later:
        assert [later.find("s-1") for _ in range(3)] == [None, None, "d0000"]
        assert later.find("s-2") == "d0001"
        assert later.find("s-3") is None
        assert later.fetch("d0000")[0].shape == (3, 400)


# One text for each line of the table of errors, as the platform words it or Qiskit's client does.
ERRORS = [
    '403 Client Error: Forbidden. {"code":3458,"message":"You have reached the limit of 3 pending',
    "429 Client Error: Too Many Requests for url: https://example.org/jobs",
    "Session has been closed. code 1217",
    "You have exceeded your monthly quota. Error code: 4317",
    "401 Client Error: Unauthorized for url: https://example.org/jobs",
    "The backend is under maintenance",
    "NewConnectionError: [Errno 111] Connection refused",
    "HTTPSConnectionPool(port=443): Read timed out. (read timeout=30)",
    "409 Client Error: Conflict for url",
    "404 Client Error: Not Found. Job not found.",
    "Error in the validation process of the job. #1002",
]


def test_the_errors_above_are_one_for_each_line_of_the_table():
    texts = [f"IBMRuntimeError: {failed(text)}" for text in ERRORS]
    first = [next(n for n, rule in enumerate(TABLE) if rule.pattern.search(t)) for t in texts]
    assert first == list(range(len(TABLE)))


@pytest.mark.parametrize("text", ERRORS)
def test_errors_come_as_they_are_so_that_the_lane_knows_them(handle, service, text):
    job_id = handle.submit("s-0", [part()])
    raised = failed(text)
    for call in (
        lambda: handle.submit("s-1", [part()]),
        lambda: handle.find("s-1"),
        lambda: handle.look(job_id),
        lambda: handle.fetch(job_id),
    ):
        service.errors.append(raised)
        with pytest.raises(type(raised)) as caught:
            call()
        assert caught.value is raised
    assert len(service.submitted) == 1


def test_no_token_is_in_the_text_of_an_error(handle, service, monkeypatch, tmp_path):
    planted, saved = "planted-in-environment-1", "planted-in-the-file-22"
    folder = tmp_path / ".qiskit"
    folder.mkdir()
    account = {"channel": "ibm_quantum_platform", "url": "https://example.org", "token": saved}
    (folder / "qiskit-ibm.json").write_text(json.dumps({"default-ibm-quantum-platform": account}))
    monkeypatch.setattr(
        "qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE",
        str(folder / "qiskit-ibm.json"),
    )
    monkeypatch.setenv("QISKIT_IBM_TOKEN", planted)
    service.errors.append(failed(f"429 Client Error: {planted} {saved} asks too often"))
    with pytest.raises(DeviceError) as caught:
        handle.submit("s-1", [part()])
    assert planted not in str(caught.value) and saved not in str(caught.value)
    assert "IBMRuntimeError" in str(caught.value) and "(hidden) (hidden) asks" in str(caught.value)
    assert caught.value.__suppress_context__  # a traceback would print the original
    assert classify(caught.value, "submit") is Verdict.WAIT


def test_missing_credentials_and_unknown_processors_are_one_line(monkeypatch, tmp_path, service):
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    monkeypatch.setattr(
        "qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE",
        str(tmp_path / "none.json"),
    )
    with pytest.raises(DeviceError, match=r"Qiskit's credentials, but .* saved; save them"):
        DEVICE.open(ANSATZ)
    with pytest.raises(DeviceError, match="credentials of the account mine, but"):
        DEVICE.open(ANSATZ, RuntimeAccess(account="mine"))
    unknown = make_device("qiskit", backend="ibm_atlantis")
    with pytest.raises(InvalidValueError, match="the account may use, but got ibm_atlantis") as e:
        runtime.RuntimeHandle(unknown, ANSATZ, RuntimeAccess(), service)
    assert "\n" not in str(e.value)
    with pytest.raises(InvalidValueError, match="has 7 qubits and the circuit 8"):
        runtime.RuntimeHandle(DEVICE, Ansatz.ring(8, 1), RuntimeAccess(), service)


def test_what_no_job_can_hold_is_refused_before_it_is_submitted(handle, service):
    with pytest.raises(InvalidValueError, match=r"at most 10,000,000 executions.*got 12,000,000"):
        handle.submit("s-1", [part(shots=4_000_000)])
    with pytest.raises(InvalidValueError, match="at least one part"):
        handle.submit("s-1", [])
    with pytest.raises(InvalidValueError, match="sets of angles"):
        handle.submit("s-1", [part(ANGLES)])
    with pytest.raises(InvalidValueError, match="has 7 qubits and the circuit 8"):
        handle.submit("s-1", [part(np.zeros((1, 1, 2, 8)), Ansatz.ring(8, 1))])
    assert service.submitted == []


def test_a_closed_handle_does_nothing(handle):
    handle.close()
    handle.close()
    for call in (handle.find, handle.look, handle.fetch, lambda _: handle.state()):
        with pytest.raises(InvalidValueError, match="must be open"):
            call("x")
    with pytest.raises(InvalidValueError, match="must be open"):
        handle.submit("s-1", [part()])


def test_tags_are_set_before_the_submission(service):
    sampler = real_sampler_for(service.backend("ibm_nairobi"), ["qhn", "s-1"])
    assert sampler.options.environment.job_tags == ["qhn", "s-1"]


def test_the_state_of_a_processor_costs_nothing(handle, service):
    state = handle.state()
    assert (state.operational, state.message, state.pending_jobs) == (True, "active", 12)
    assert state.n_qubits == 7 and service.submitted == []


class TestAccess:
    def test_each_processor_of_each_account_has_a_queue(self):
        def queue(**settings):
            return RuntimeAccess(**settings).of("ibm_torino").queue("qpu")

        assert queue() == RuntimeAccess(plan="open").of("ibm_torino").queue("b") == "ibm-torino"
        names = {
            queue(),
            queue(instance="one"),
            queue(instance="crn:v1:two"),
            queue(account="one"),
            RuntimeAccess().of("ibm_fez").queue("qpu"),
        }
        assert len(names) == 5
        assert all(name.replace("-", "").isalnum() for name in names)

    def test_a_plan_expects_the_worse_where_nothing_is_said(self):
        unsaid, opened, paid = (
            RuntimeAccess(plan=plan).provider for plan in (None, "open", "pay-as-you-go")
        )
        assert (unsaid.pending, unsaid.price_second) == (3, 1.6)
        assert (opened.pending, opened.price_second) == (3, 0)
        assert (paid.pending, paid.price_second) == (None, 1.6)
        # 37 sets of 256 shots: 4.4 seconds of the processor.
        assert unsaid.qpu_seconds(37 * 256) == pytest.approx(4.4, abs=0.05)
        assert unsaid.executions_per_job == 10_000_000

    @pytest.mark.parametrize("wrong", [{"plan": "free"}, {"instance": ""}, {"account": 3}])
    def test_settings_that_make_no_sense_are_refused(self, wrong):
        with pytest.raises(InvalidValueError, match=f"{next(iter(wrong))} must be"):
            RuntimeAccess(**wrong)

    def test_only_processors_are_reached(self):
        access = RuntimeAccess(instance="one")
        assert DEVICE.reached(access) == RuntimeAccess(instance="one", processor="ibm_nairobi")
        assert make_device("qiskit").reached(RuntimeAccess()) is None
        with pytest.raises(InvalidValueError, match="FakeNairobiV2, which is simulated"):
            make_device("qiskit", backend="FakeNairobiV2").reached(access)
