"""Results and errors as files, and the digest over final numbers."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored_examples import TRIAL, make_result

from qhn.core.errors import InvalidValueError, NewerFormatError
from qhn.core.metrics import ORIGINAL_NAMES
from qhn.sweeps.store import TrialError, results_digest
from qhn.sweeps.store.results import read_result

FORMAT_1 = {
    "trial_id": TRIAL,
    "status": "finished",
    "steps": 10,
    "metrics": {"nll": 0.25},
    "flags": {"exploding-gradient": 4},
    "top_strings": [],
    "training_seconds": 1.5,
    "started_ms": 1,
    "finished_ms": 2,
}
FORMAT_2 = json.loads(make_result().to_json())


def read(content):
    text = content if isinstance(content, str) else json.dumps(content)
    return read_result(text.encode(), TRIAL, "x/result.json")


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), finite), st.dictionaries(st.text(), st.integers(0, 2**63)))
def test_every_result_survives_its_file(metrics, flags):
    original = make_result(metrics=metrics, flags=flags)
    assert read(original.to_json()) == original


def test_the_file_names_its_format_version_and_processor():
    assert FORMAT_2["format"] == 2
    assert FORMAT_2["version"] == "0.2.0"
    assert FORMAT_2["processor"] == "avx2 fma"


def test_files_of_format_1_are_read():
    found = read(FORMAT_1)
    assert (found.metrics, found.version, found.processor) == ({"nll": 0.25}, None, None)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_the_text_nan_of_format_1_is_a_failure_with_its_flag(value):
    found = read(FORMAT_1 | {"metrics": {"lambda": 0.0, "nll": value}})
    assert isinstance(found, TrialError)
    assert found.message == (
        f"training diverged: its metrics must be finite, but nll was {value} after 10 steps; "
        "use a smaller learning rate or a smaller λ"
    )
    assert (found.flags, found.failed_ms) == ({"exploding-gradient": 4}, 2)


def without(name):
    return {key: value for key, value in FORMAT_2.items() if key != name}


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "null", "{", '{"trial_id": ', "[" * 100_000, "\ud7ff"),
        *(json.dumps(FORMAT_2).replace("0.25", bare) for bare in ("NaN", "Infinity", "-Infinity")),
        *(json.dumps(FORMAT_2).replace("0.25", odd) for odd in ("1e999", "9" * 400, '"0.25"')),
        *(FORMAT_2 | {"metrics": {"nll": value}} for value in ("nan", "inf", True, None, [])),
        *(FORMAT_2 | {"metrics": value} for value in ([], None, 3)),
        *(FORMAT_2 | {"flags": value} for value in ([], {"a": -1}, {"a": 1.5}, {"a": "b"})),
        *(FORMAT_2 | {"top_strings": value} for value in ({}, [1], [{"bits": None}])),
        *(FORMAT_2 | {"steps": value} for value in (-1, 1.0, True, "3", None)),
        *(FORMAT_2 | {"training_seconds": value} for value in ("1", None)),
        *(FORMAT_2 | {"format": value} for value in (0, -1, "2", 2.0, True, None)),
        *(FORMAT_2 | {"version": 2}, FORMAT_2 | {"status": "done"}, FORMAT_2 | {"extra": 1}),
        FORMAT_1 | {"version": "0.2.0"},
        *(without(name) for name in FORMAT_1),
        without("format"),
        FORMAT_2 | {"trial_id": "f" * 16},
    ],
)
def test_anything_else_is_damage(content):
    with pytest.raises(InvalidValueError):
        read(content)


def test_another_format_is_one_clear_message():
    with pytest.raises(NewerFormatError) as refused:
        read(FORMAT_2 | {"format": 3, "whatever": [1]})
    assert str(refused.value) == (
        "x/result.json was written by a newer qhn (format 3, this one reads up to 2); upgrade qhn"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_result_has_finite_metrics_only(value):
    with pytest.raises(InvalidValueError, match="metrics of a result must be finite, but kl is"):
        make_result(metrics={"nll": 0.1, "kl": value})


def test_errors_are_read_whatever_wrote_them():
    original = TrialError("no", "trace", 7, {"vanishing-gradient": 3})
    assert TrialError.from_json(original.to_json().encode()) == original
    old = b'{"message": "no", "traceback": "trace", "failed_ms": 7}'
    assert TrialError.from_json(old) == TrialError("no", "trace", 7)
    newer = json.dumps({"format": 9, "message": "no", "traceback": "", "failed_ms": 7, "hint": 1})
    assert TrialError.from_json(newer.encode()).message == "no"


@given(st.binary())
def test_an_error_that_cannot_be_read_is_still_an_error(content):
    assert TrialError.from_json(content).message == "the error's file is unreadable"


def digest_of_f0fdd86(fields):
    """The digest as that version computed it, from the files alone."""
    digest = hashlib.sha256()
    for found in sorted(fields, key=lambda found: found["trial_id"]):
        digest.update(f"{found['trial_id']} {found['status']} {found['steps']}\n".encode())
        for name, value in sorted(found["metrics"].items()):
            digest.update(f"{name} {float(value).hex()}\n".encode())
    return digest.hexdigest()


def test_the_digest_is_that_of_version_f0fdd86(old, stored):
    """Held against a whole sweep of that version, two of whose trials diverged."""
    files = [
        json.loads((old / i / "result.json").read_text()) for i in stored["diverged"]["trials"]
    ]
    assert digest_of_f0fdd86(files) == stored["diverged"]["digest"]
    finished = [found for found in files if "nan" not in found["metrics"].values()]
    assert len(finished) == 2
    results = [read_result(json.dumps(found).encode(), found["trial_id"], "") for found in finished]
    assert results_digest(results) == digest_of_f0fdd86(finished)


def test_the_digest_depends_on_every_number_and_on_nothing_else():
    first, second = make_result(), make_result("f" * 16)
    digest = results_digest([first, second])
    assert digest == results_digest([second, first])
    other_run = make_result(training_seconds=9.0, finished_ms=7, version="9", processor=None)
    assert digest == results_digest([other_run, second])
    nudged = make_result(metrics=first.metrics | {"nll": np.nextafter(0.25, 1)})
    assert digest != results_digest([nudged, second])
    assert digest != results_digest([first])
    assert digest != results_digest([make_result(status="stopped"), second])


@given(st.sampled_from(ORIGINAL_NAMES), st.text().filter(lambda name: name not in ORIGINAL_NAMES))
def test_metrics_added_later_never_enter_the_digest(name, later):
    digest = results_digest([make_result(metrics={name: 1.0})])
    assert digest == results_digest([make_result(metrics={name: 1.0, later: 2.0})])
    assert digest != results_digest([make_result(metrics={name: 1.5})])
