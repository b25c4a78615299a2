"""``qhn train``: one configuration in this process, without Ray, store or MLflow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from qhn.sweeps.config import TrialConfig

_PATIENCE_S = 2.0
_COLUMNS = {
    "objective": "value",
    "nll": "nll",
    "kl": "KL",
    "mmd2": "MMD²",
    "entropy": "entropy",
    "gradient_norm": "|grad|",
    "train_accuracy_expected": "train",
    "test_accuracy_expected": "test",
    "test_accuracy_mode": "mode",
    "test_accuracy_average": "average",
}


def train(
    dataset: Annotated[str, typer.Option(help="gaussian, moons, ring or digits.")] = "moons",
    objective: Annotated[str, typer.Option(help="mle, elbo or selbo.")] = "mle",
    lambda_: Annotated[
        float | None, typer.Option("--lambda", help="λ of elbo and selbo.", show_default="1")
    ] = None,
    bandwidth: Annotated[
        str | None, typer.Option(help="h of selbo: a number, n/4, sqrt(n) or median.")
    ] = None,
    hidden: Annotated[
        int | None, typer.Option(help="Hidden units; 0 is logistic regression.", show_default="3")
    ] = None,
    entangler: Annotated[str, typer.Option(help="brickwork, chain or ring.")] = "brickwork",
    depth: Annotated[int, typer.Option(help="Layers of the circuit.")] = 2,
    steps: Annotated[int, typer.Option(help="Parameter updates.")] = 250,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 0.1,
    report_every: Annotated[int, typer.Option(help="Updates between two lines.")] = 25,
    seed: Annotated[int, typer.Option(help="Of the initial angles.")] = 0,
    trial: Annotated[
        str | None,
        typer.Option(help="Train the configuration in this JSON file (a trial's config.json)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train one configuration here and now, for debugging: no Ray, nothing is kept."""
    if trial is not None:
        config = _from_file(trial)
    else:
        if hidden is None:
            hidden = 0 if dataset == "digits" else 3
        network = {"kind": "mlp", "hidden": hidden} if hidden else {"kind": "logistic"}
        goal: dict[str, Any] = {"name": objective}
        if objective != "mle":
            goal["lambda"] = 1.0 if lambda_ is None else lambda_
        elif lambda_ is not None:
            goal["lambda"] = lambda_
        if bandwidth is not None:
            goal["bandwidth"] = _number_or_word(bandwidth)
        config = _from_options(
            {
                "datasets": [dataset],
                "networks": [network],
                "ansatze": [{"entangler": entangler, "depth": depth}],
                "objectives": [goal],
                "seeds": [seed],
                "training": {
                    "steps": steps,
                    "learning_rate": learning_rate,
                    "report_every": report_every,
                },
            }
        )
    _train(config, as_json)


def _number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _from_file(path: str) -> TrialConfig:
    from pathlib import Path

    from qhn.core.errors import SpecError

    try:
        return TrialConfig.from_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot read the trial's configuration {path}: {error}") from None


def _from_options(content: Mapping[str, Any]) -> TrialConfig:
    # A sweep of one trial: the same rules and the same messages as for a sweep file.
    from qhn.sweeps.plan import make_plan
    from qhn.sweeps.spec import parse_spec

    text = json.dumps({"name": "train", **content}, indent=1)
    return make_plan(parse_spec(text, "the options")).trials[0].config


@contextmanager
def _patience(console: Console) -> Iterator[Callable[[float], None]]:
    """A progress bar for loss tables, shown once they have taken two seconds."""
    begin = time.monotonic()
    columns = (TextColumn("evaluating all networks"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, visible=False)
        yield lambda done: bar.update(
            task, completed=done, visible=time.monotonic() - begin > _PATIENCE_S
        )


def _train(config: TrialConfig, as_json: bool) -> None:
    from qhn.devices import open_device
    from qhn.sweeps import build
    from qhn.sweeps.running.session import TrialSession, result_of

    console = Console(highlight=False, quiet=as_json)
    console.print(f"{config.to_json()}\n", soft_wrap=True, markup=False)
    with _patience(console) as tell:
        problem = build.problem(config, tell)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in ("step", *_COLUMNS.values()):
        table.add_column(title, justify="right")
    with open_device(config.device.name, build.ansatz(config)) as device:
        session = TrialSession(config, problem, device, None)
        spent, finished = 0.0, False
        while not finished:
            progress = session.work(0.0)
            spent, finished = spent + progress.seconds, progress.finished
            numbers = (f"{progress.metrics[name]:.3g}" for name in _COLUMNS)
            table.add_row(str(progress.step), *numbers)
        result = result_of(config.trial_id, session.state(), "finished")
    if as_json:
        typer.echo(result.to_json())
        return
    console.print(table)
    for name, step in result.flags.items():
        console.print(f"[yellow]flag[/] {name}, first seen at step {step}")
    if result.top_strings:
        best = Table(*result.top_strings[0], box=box.SIMPLE_HEAD)
        for top in result.top_strings[:5]:
            best.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in top.values()))
        console.print("most probable outcomes", best)
    console.print(f"{config.n_qubits} qubits, {result.steps} steps in {spent:.2f} s")
