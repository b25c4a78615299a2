"""Whatever a file holds, the answer is a spec or a `SpecError`, never another exception."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core.errors import SpecError
from qhn.sweeps.spec import parse_spec

WORDS = """
    mle elbo selbo moons digits mlp logistic chain grid random asha exact n/4 constant
    exponential uniform choice closed
"""
KEYS = """
    name datasets networks ansatze objectives seeds training device devices search
    time_limit early_stopping lambda bandwidth prior_samples schedule value start end over
    distribution values low high kind hidden first count draws steps learning_rate report_every
"""

words = st.sampled_from(WORDS.split())
keys = st.sampled_from(KEYS.split())
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, st.text())
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)
files = st.dictionaries(keys | st.text(), anything, max_size=8)


@settings(max_examples=150)
@given(files)
def test_any_content(content):
    right = {"name": "x", "datasets": "moons", "objectives": "mle", "seeds": 1}
    for text in (json.dumps(content), json.dumps({**right, **content})):
        with contextlib.suppress(SpecError):
            parse_spec(text)


@settings(max_examples=150)
@given(st.one_of(st.text(), st.binary()))
def test_any_text(text):
    with contextlib.suppress(SpecError):
        parse_spec(text)
