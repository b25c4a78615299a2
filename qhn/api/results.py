"""Reads the results of a sweep as a pandas table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.results.table import frame, read_rows
from qhn.sweeps.store import open_store
from qhn.sweeps.store.opening import default_store

if TYPE_CHECKING:
    from pandas import DataFrame


def results(name: str, store: str | os.PathLike[str] | None = None) -> DataFrame:
    """The results of a sweep as a pandas table, with one row for each planned trial.

    Nothing is run. The columns are, in this order:

    - ``trial_id``; ``group_id`` and ``group`` (the id and the label of the group, whose trials
      differ only by their seeds); ``seed``; ``data_seed`` (that from which the data were drawn;
      missing if the sweep has no data seeds);
    - ``status``: ``finished``, ``stopped`` (early), ``failed`` or ``waiting``; ``steps``: parameter
      updates; ``flags`` such as ``barren-plateau=20``, each with the step at which it appeared;
      ``training_seconds``;
    - each setting under the name of its MLflow parameter, such as ``objective.lambda.value``;
    - each final metric under its name, such as ``test_accuracy_expected`` (see
      `qhn.core.metrics`).

    Values that a trial does not have are missing (``isna``): a trial that waits has no metrics, and
    a trial with the objective ``mle`` has no λ.

    Args:
        name: the name of a sweep that was run, from Python or with ``qhn sweep run``.
        store: the folder of the store; None for the one that ``QHN_STORE`` names, else ``~/.qhn``.

    Raises:
        NotFoundError: if the store has no such sweep.
        StoreError: if the store cannot be read.
        SpecError: if the store's copy of the sweep file is damaged, or another version has written
            it.
    """
    opened = open_store(default_store() if store is None else os.fspath(store))
    return frame(read_rows(stored_plan(opened.sweep(name)), opened))
