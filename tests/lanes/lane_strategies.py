"""What random walks of the lane's machine draw from."""

from hypothesis import strategies as st

from qhn.lanes.amounts import Usage
from qhn.lanes.limits import Budget, Limits

TERM = 60.0
SWEEPS = ("a", "b", "c")
TRIALS = {f"{sweep}{number}": sweep for sweep in SWEEPS for number in range(3)}
LIMITS = st.builds(
    Limits,
    jobs_in_flight=st.integers(1, 4),
    submissions_per_minute=st.none() | st.integers(1, 5),
    requests_per_job=st.sampled_from([1, 1, 3]),
    term_s=st.just(TERM),
    minute_s=st.sampled_from([60.0, 60.0, 5.0]),
)
BUDGETS = st.none() | st.builds(
    Budget,
    qpu_seconds=st.sampled_from([0.5, 5.0, 20.0]),
    shots=st.none() | st.integers(1, 300),
    per=st.sampled_from(["sweep", "trial"]),
    when_spent=st.sampled_from(["finish", "wait"]),
)
USAGES = st.builds(
    Usage, st.integers(0, 50), st.floats(0, 4, allow_subnormal=False), st.floats(0, 1)
)
