"""A trial id and a result, as tests of the store need them."""

from qhn.sweeps.store import TrialResult

TRIAL = "0123456789abcdef"


def make_result(trial_id=TRIAL, **changes):
    fields = {
        "trial_id": trial_id,
        "status": "finished",
        "steps": 10,
        "metrics": {"nll": 0.25, "objective": 0.1 + 0.2},
        "flags": {"collapse-to-prior": 5},
        "top_strings": ({"bits": "01", "probability": 0.5},),
        "training_seconds": 1.5,
        "started_ms": 1,
        "finished_ms": 2,
        "version": "0.2.0",
        "processor": "avx2 fma",
    }
    return TrialResult(**(fields | changes))
