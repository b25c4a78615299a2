"""Reads and checks sweep files, and reports all mistakes of a file at once."""

from qhn.sweeps.spec.mistakes import InvalidSpecError, Mistake
from qhn.sweeps.spec.models import SweepSpec
from qhn.sweeps.spec.notes import notes
from qhn.sweeps.spec.parse import parse_spec
from qhn.sweeps.spec.reading import load_spec, read_spec

__all__ = [
    "InvalidSpecError",
    "Mistake",
    "SweepSpec",
    "load_spec",
    "notes",
    "parse_spec",
    "read_spec",
]
