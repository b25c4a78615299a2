"""Keeps the points of data files in the store, where all processes of a sweep find them."""

from __future__ import annotations

from qhn.core.data.point_sets import encode, points_of
from qhn.core.errors import QhnError, SpecError
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.spec import SweepSpec, parse_spec
from qhn.sweeps.store import Store


def keep_points(plan: Plan, store: Store) -> None:
    """Keep the points of a plan's data files in the store, if it does not have them.

    Raises:
        NotFoundError: if neither the store nor this process has them.
        StoreError: if the store cannot be written.
    """
    digests = dict.fromkeys(trial.config.dataset.digest for trial in plan.trials)
    for digest in digests:
        if digest is not None and store.points(digest) is None:
            store.save_points(digest, encode(points_of(digest)))


def check_unchanged(spec: SweepSpec, source: str, store: Store) -> None:
    """Check that the data files of a sweep are those with which it was run before.

    Args:
        spec: the sweep file.
        source: its name in messages.
        store: where an earlier run has kept its own.

    Raises:
        SpecError: if the points of a file with the same path are others now.
    """
    if all(dataset.digest is None for dataset in spec.datasets):
        return
    try:
        before = parse_spec(store.sweep(spec.name).read_file())
    except QhnError:
        return  # it was never run, or its file cannot be read, which is told elsewhere
    known = {(d.name, d.path, d.label, d.classes): d.digest for d in before.datasets}
    wrong = []
    for dataset in spec.datasets:
        where = (dataset.name, dataset.path, dataset.label, dataset.classes)
        former = known.get(where)
        if former is not None and former != dataset.digest:
            wrong.append(f"{dataset.path or dataset.name}: {dataset.digest} now, {former} before")
    if wrong:
        raise SpecError(
            f"{source}: the data files of the sweep {spec.name} must not change, but these have "
            f"changed since it was first run ({'; '.join(wrong)}); give the sweep another name, "
            "put the former file back, or write the former digest in place of the path, as in "
            "{name: file, digest: ...}"
        )
