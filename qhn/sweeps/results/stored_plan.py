"""The plan of a sweep that was run before, made from the file that the store has kept."""

from __future__ import annotations

from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import SweepStore


def stored_plan(kept: SweepStore) -> Plan:
    """The plan of a sweep by its file as it was last run.

    Args:
        kept: the part of the store for this sweep.

    Raises:
        NotFoundError: if no sweep with this name was ever run.
        SpecError: if this version of qhn does not understand the file.
        DamagedError: if the file cannot be read.
        StoreError: if the store cannot be read, or the file is not UTF-8 text.
    """
    return make_plan(parse_spec(kept.read_file(), kept.shown_file))
