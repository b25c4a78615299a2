"""The results of a sweep as a pandas table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.table import frame, read_rows
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store
from qhn.sweeps.store.opening import default_store

if TYPE_CHECKING:
    from pandas import DataFrame


def results(name: str, store: str | os.PathLike[str] | None = None) -> DataFrame:
    """All trials of a sweep and what came of them: one row per planned trial, nothing is run.

    The columns, in this order:

    - ``trial_id``; ``group_id`` and ``group`` (id and label of what differs by the seed alone);
      ``seed`` and ``data_seed`` (of the drawing of the data set);
    - ``status``: ``finished``, ``stopped`` (early), ``failed`` or ``waiting``; ``steps`` made;
      ``flags`` such as ``barren-plateau=20``, each with the step at which it appeared;
      ``training_seconds``;
    - every setting under its name as a parameter in MLflow, such as ``objective.lambda.value``;
    - every final metric under its name, such as ``test_accuracy_expected`` (see
      `qhn.core.metrics`).

    What a trial does not have is missing: a trial that waits has no metrics, an ``mle`` no λ.

    Args:
        name: of a sweep that was run, here or by ``qhn sweep run``.
        store: its folder; None for the one that ``QHN_STORE`` names, else ``~/.qhn``.

    Raises:
        NotFoundError: if the store has no such sweep.
        StoreError: if the store cannot be read.
        SpecError: if the sweep's file there is damaged, or of another version.
    """
    opened = open_store(default_store() if store is None else os.fspath(store))
    kept = opened.sweep(name)
    plan = make_plan(parse_spec(kept.read_file(), kept.shown_file))
    return frame(read_rows(plan, opened))
