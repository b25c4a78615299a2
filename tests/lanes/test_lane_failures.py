"""The table of errors, by texts as providers and libraries word them, and the pauses."""

from itertools import pairwise

import pytest

from qhn.core.errors import InvalidValueError
from qhn.lanes.failures import TABLE, Verdict, classify, pause_s

WAIT, REATTACH, PERMANENT = Verdict.WAIT, Verdict.REATTACH, Verdict.PERMANENT


class RuntimeApiError(Exception):
    """One class for everything, as providers have it."""


CASES = [
    # text, while submitting, while asking
    (
        "'Failed to run program: 403 Client Error: Forbidden for url: https://example.org/jobs. "
        '{"errors":[{"code":3458,"message":"You have reached the limit of 3 pending jobs. Please '
        "wait for a job to complete or cancel one\"}]}'",
        WAIT,
        WAIT,
    ),
    ("Reached maximum number (5) of concurrent jobs, Error code: 3458.", WAIT, WAIT),
    ("The user reached the maximum number of jobs running concurrently. Code 1012", WAIT, WAIT),
    ("429 Client Error: Too Many Requests for url: https://example.org/jobs", WAIT, WAIT),
    ("ThrottlingException: Rate exceeded", WAIT, WAIT),
    ("(Caused by ResponseError('too many 500 error responses'))", REATTACH, WAIT),
    ("Session has been closed. code 1217", WAIT, REATTACH),
    ("The session is closed.", WAIT, REATTACH),
    ("You have exceeded your monthly quota. Error code: 4317", PERMANENT, PERMANENT),
    ("401 Client Error: Unauthorized for url: https://example.org/jobs", PERMANENT, PERMANENT),
    ("403 Client Error: Forbidden for url: https://example.org/jobs", PERMANENT, PERMANENT),
    (
        "AccessDeniedException: not authorized to perform braket:CreateQuantumTask",
        PERMANENT,
        PERMANENT,
    ),
    ("DeviceOfflineException: Device is offline", WAIT, WAIT),
    ("The backend is under maintenance", WAIT, WAIT),
    ("Max retries exceeded (NewConnectionError: [Errno 111] Connection refused)", WAIT, WAIT),
    ("[Errno -3] Temporary failure in name resolution", WAIT, WAIT),
    ("HTTPSConnectionPool(port=443): Read timed out. (read timeout=30)", REATTACH, WAIT),
    ("('Connection aborted.', RemoteDisconnected('Remote end closed connection'))", REATTACH, WAIT),
    ("502 Server Error: Bad Gateway for url: https://example.org/jobs", REATTACH, WAIT),
    ("503 Server Error: Service Unavailable", REATTACH, WAIT),
    ("Error code: 1010, Error returned at backend level.", REATTACH, WAIT),
    ("409 Client Error: Conflict for url", REATTACH, REATTACH),
    ("404 Client Error: Not Found. Job not found.", PERMANENT, REATTACH),
    ("400 Client Error: Bad Request for url", PERMANENT, PERMANENT),
    ("ValidationException: shots exceeds the device's maximum", PERMANENT, PERMANENT),
    ("Error in the validation process of the job. #1002", PERMANENT, PERMANENT),
    # What nobody has seen: no money is risked, and a poll costs none.
    ("the moon is in the wrong phase", PERMANENT, WAIT),
    # A number within a job id or an address is no code.
    ("job d0f4294317345812 at port 5029 is in the wrong phase", PERMANENT, WAIT),
]


@pytest.mark.parametrize(("text", "submit", "poll"), CASES)
def test_an_error_is_known_by_its_text(text, submit, poll):
    error = RuntimeApiError(text)
    assert (classify(error, "submit"), classify(error, "poll")) == (submit, poll)


def test_every_line_of_the_table_is_needed():
    """Each rule decides at least one of the cases above."""
    decides = {
        next(
            (n for n, rule in enumerate(TABLE) if rule.pattern.search(f"RuntimeApiError: {text}")),
            None,
        )
        for text, _, _ in CASES
    }
    assert decides == {None, *range(len(TABLE))}


def test_the_class_and_the_cause_of_an_error_count():
    class ServiceError(Exception):
        pass

    assert classify(TimeoutError(), "submit") is REATTACH
    assert classify(ConnectionResetError("peer"), "submit") is REATTACH
    assert classify(InvalidValueError("shots"), "poll") is PERMANENT
    error = ServiceError("failed to run program")
    error.__cause__ = RuntimeApiError("429 Client Error")
    assert classify(error, "submit") is WAIT
    error.__cause__ = None
    assert classify(error, "submit") is PERMANENT
    # Errors may be raised from each other in a circle.
    other = RuntimeApiError("x")
    error.__cause__, other.__cause__ = other, error
    assert classify(error, "submit") is PERMANENT


def test_pauses_grow_up_to_a_limit_and_are_the_same_for_the_same_seed():
    pauses = [pause_s(n, seed=1, submission="a", first_s=2, most_s=60) for n in range(200)]
    longest = [min(60, 2 * 2.0**n) for n in range(200)]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    assert pauses == [pause_s(n, seed=1, submission="a", first_s=2, most_s=60) for n in range(200)]
    assert len(set(pauses)) == 200


def test_those_who_failed_together_come_back_apart():
    pauses = sorted(pause_s(3, seed=0, submission=f"s{n}", first_s=2) for n in range(100))
    gaps = [b - a for a, b in pairwise(pauses)]
    assert max(gaps) < 1.0  # of a range of 8 seconds
    assert pause_s(3, seed=0, submission="s0") != pause_s(3, seed=1, submission="s0")


@pytest.mark.parametrize("wrong", [{"attempt": -1}, {"first_s": 0}, {"most_s": float("inf")}])
def test_a_pause_of_no_length_is_refused(wrong):
    with pytest.raises(InvalidValueError):
        pause_s(**{"attempt": 0, "seed": 0, "submission": "a"} | wrong)
