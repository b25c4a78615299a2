"""``qhn landscape``: draws objectives on planes through the angles, and measures how smooth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.configuration import from_options
from qhn.cli.options import DEFAULT_STORE, StoreOption
from qhn.cli.tables import Column, print_columns, print_words
from qhn.core.errors import InvalidValueError, StoreError

if TYPE_CHECKING:
    from qhn.core.arrays import FloatArray
    from qhn.reports.terrain import Found, Terrain
    from qhn.sweeps.config.sections import ObjectiveConfig
    from qhn.sweeps.config.trial import TrialConfig

_TITLES = {
    "minima": "strict\nminima",
    "total_variation": "total\nvariation",
    "curvature": "mean\n|curvature|",
    "variation_by_range": "variation\n/ range",
    "curvature_by_range": "curvature\n/ range",
}


def landscape(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write figure and numbers.")
    ] = Path("landscape"),
    trial: Annotated[
        str | None,
        typer.Option(
            help="Draw around the final angles of this trial, given by its id.", show_default=False
        ),
    ] = None,
    dataset: Annotated[str, typer.Option(help="gaussian, moons, ring or digits.")] = "moons",
    hidden: Annotated[
        int | None, typer.Option(help="Hidden units; 0 is logistic regression.", show_default="3")
    ] = None,
    entangler: Annotated[str, typer.Option(help="brickwork, chain or ring.")] = "brickwork",
    depth: Annotated[int, typer.Option(help="Layers of the circuit.")] = 2,
    elbo: Annotated[list[float] | None, typer.Option(help="λ of elbo.", show_default="1")] = None,
    selbo: Annotated[
        list[float] | None, typer.Option(help="λ of selbo.", show_default="30")
    ] = None,
    bandwidth: Annotated[str, typer.Option(help="h of selbo.")] = "n/4",
    planes: Annotated[int, typer.Option(min=1, help="How many planes to measure.")] = 20,
    points: Annotated[int, typer.Option(min=3, help="Points along each side.")] = 41,
    extent: Annotated[
        float, typer.Option(help="How far planes reach, in radians (root mean square).")
    ] = 3.141592653589793,
    starts: Annotated[
        int, typer.Option(min=0, help="Train from so many random angles, to count optima.")
    ] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Updates of these trainings.")] = 250,
    tolerance: Annotated[
        float, typer.Option(help="Final values closer than this are one optimum, in nats.")
    ] = 1e-3,
    seed: Annotated[int, typer.Option(help="Decides directions and random centres.")] = 0,
    address: Annotated[
        str | None,
        typer.Option(metavar="auto|HOST:PORT", help="Divide the planes over this Ray."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Draw mle, elbo and selbo on random planes, and measure how smooth they are.

    Without --trial each plane goes through other random angles. With it, all go through the
    trained angles, in other directions.
    """
    from qhn.reports.terrain import Terrain

    config, centre = _start(trial, store, dataset, hidden, entangler, depth, steps)
    terrain = Terrain(
        config=config,
        objectives=tuple(_objectives(config, elbo or [1.0], selbo or [30.0], bandwidth)),
        centre=centre,
        seed=seed,
        planes=planes,
        points=points,
        extent=extent,
        starts=starts,
        tolerance=tolerance,
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder of a landscape must be writable, but {out} is not: "
            f"{error.strerror or error}; name another with --out"
        ) from None
    found = _explore(terrain, address)
    _write(out, terrain, found, trial)
    console = Console(highlight=False)
    _print(console, terrain, found)
    print_words(console, f"Figure and numbers are in {escape(str(out))}.")


def _start(
    trial: str | None,
    store: str,
    dataset: str,
    hidden: int | None,
    entangler: str,
    depth: int,
    steps: int,
) -> tuple[TrialConfig, FloatArray | None]:
    if trial is not None:
        from qhn.api.trial import load_trial

        loaded = load_trial(trial, store)
        return loaded.config, loaded.angles
    chosen = from_options(
        dataset=dataset,
        objective="mle",
        lambda_=None,
        bandwidth=None,
        hidden=hidden,
        entangler=entangler,
        depth=depth,
        steps=steps,
        learning_rate=0.1,
        report_every=steps,
        device="exact",
        seed=0,
    )
    return chosen.config, None


def _objectives(
    config: TrialConfig, elbo: list[float], selbo: list[float], bandwidth: str
) -> list[tuple[str, ObjectiveConfig]]:
    from pydantic import ValidationError

    from qhn.core.objectives.bandwidth import bandwidth as in_numbers
    from qhn.sweeps.config.sections import ObjectiveConfig

    try:
        h = in_numbers(float(bandwidth), config.n_qubits)
    except ValueError:
        h = in_numbers(bandwidth, config.n_qubits)
    wanted: list[tuple[str, dict[str, Any]]] = [("mle", {"name": "mle"})]
    for name, lambdas in (("elbo", elbo), ("selbo", selbo)):
        for value in lambdas:
            content: dict[str, Any] = {"name": name, "bandwidth": h if name == "selbo" else None}
            content["lambda"] = {"schedule": "constant", "value": value}
            wanted.append((f"{name} lambda={value:.4g}", content))
    try:
        return [(label, ObjectiveConfig.model_validate(content)) for label, content in wanted]
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidValueError(
            f"λ must be at least 0 and finite, but: {first['msg']} (got {first['input']!r})"
        ) from None


def _explore(terrain: Terrain, address: str | None) -> Found:
    from qhn.reports.terrain import explore

    if address is None:
        return explore(terrain)
    from qhn.sweeps.driver.mapping import on_ray

    with on_ray(address) as each:
        return explore(terrain, each)


def _write(out: Path, terrain: Terrain, found: Found, trial: str | None) -> None:
    import numpy as np

    from qhn.reports.figures.planes import draw_planes
    from qhn.reports.terrain import terrain_json

    config = terrain.config
    name = f"{config.dataset.name} {config.ansatz.entangler}"
    where = "random angles" if trial is None else f"the angles of trial {config.trial_id}"
    figure = draw_planes(name, found.labels, found.first, where)
    try:
        (out / "landscape.svg").write_text(figure.svg, encoding="utf-8")
        (out / "landscape.png").write_bytes(figure.png)
        (out / "landscape.json").write_text(terrain_json(terrain, found), encoding="utf-8")
        with (out / "landscape.npz").open("wb") as file:
            first = found.first.values
            names: dict[str, Any] = {f"values_{i}": values for i, values in enumerate(first)}
            labels = np.array(found.labels)
            np.savez_compressed(file, steps=found.first.steps, labels=labels, **names)
    except OSError as error:
        raise StoreError(
            f"the folder of a landscape must be writable, but {out} is not: "
            f"{error.strerror or error}; name another with --out"
        ) from None


def _print(console: Console, terrain: Terrain, found: Found) -> None:
    from qhn.reports import words
    from qhn.sweeps.results.statistics import MeanInterval

    rows = found.summary(terrain.tolerance)
    columns = [Column("objective", [str(row["objective"]) for row in rows])]
    for name, title in _TITLES.items():
        cells = []
        for row in rows:
            value = row[name]
            assert isinstance(value, MeanInterval)
            cells.append(f"{words.number(value.mean)} ({words.interval(value)})")
        columns.append(Column(title, cells, name))
    if terrain.starts:
        columns.append(Column("distinct\noptima", [str(row["optima"]) for row in rows]))
    print_columns(console, columns, set(), set())
    print_words(
        console,
        f"Means over {terrain.planes} planes with their 95% intervals; "
        f"{terrain.points} x {terrain.points} points on each.",
    )
