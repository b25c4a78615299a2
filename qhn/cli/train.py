"""``qhn train``: trains one configuration in this process, without Ray, store and MLflow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from qhn.cli.configuration import Chosen, from_file, from_options, unused_options
from qhn.cli.messages import print_note
from qhn.cli.signals import clean_stops
from qhn.cli.supervisor import INTERRUPTED
from qhn.cli.waiting import waiting
from qhn.cli.words import counted
from qhn.core.errors import SpecError
from qhn.lanes import Usage
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import TrialResult

if TYPE_CHECKING:
    from qhn.core.evaluation.task import Task
    from qhn.sweeps.trial.alone import Opened

_PATIENCE_S = 2.0
# Enough for a number such as 9.59e-05, and a space.
_WIDTH = 9
# The most important columns come first, because a narrow terminal leaves out the last ones.
_COLUMNS = {
    "objective": "value",
    "nll": "nll",
    "train_accuracy_expected": "train",
    "test_accuracy_expected": "test",
    "gradient_norm": "|grad|",
    "entropy": "entropy",
    "kl": "KL",
    "mmd2": "MMD²",
    "test_accuracy_mode": "mode",
    "test_accuracy_average": "average",
}


def train(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="gaussian, moons, ring or digits.")] = "moons",
    objective: Annotated[str, typer.Option(help="mle, elbo, selbo or kale.")] = "mle",
    lambda_: Annotated[
        float | None, typer.Option("--lambda", help="λ of elbo, selbo and kale.", show_default="1")
    ] = None,
    bandwidth: Annotated[
        str | None,
        typer.Option(
            help="h of selbo and kale: a number, n/4, sqrt(n) or median.", show_default="n/4"
        ),
    ] = None,
    hidden: Annotated[
        int | None,
        typer.Option(
            help="Hidden units; 0 is logistic regression.", show_default="3; for digits 0"
        ),
    ] = None,
    entangler: Annotated[str, typer.Option(help="brickwork, chain or ring.")] = "brickwork",
    depth: Annotated[int, typer.Option(help="Layers of the circuit.")] = 2,
    steps: Annotated[int, typer.Option(help="Parameter updates.")] = 250,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of Adam.")] = 0.1,
    report_every: Annotated[int, typer.Option(help="Updates between two lines.")] = 25,
    device: Annotated[
        str,
        typer.Option(
            help="Where the circuit runs: exact, exact:SHOTS to train from samples, or any device "
            "as in sweep files, such as '{name: exact, noise: 0.001}' or rehearsal:256."
        ),
    ] = "exact",
    seed: Annotated[
        int,
        typer.Option(help="The seed of the initial angles and samples, not of the data."),
    ] = 0,
    trial: Annotated[
        str | None,
        typer.Option(help="Train the configuration in this JSON file (a trial's config.json)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train one configuration in this process, for debugging. Nothing is kept."""
    if trial is not None:
        _refuse_others(context)
        chosen = from_file(trial)
    else:
        chosen = from_options(
            dataset=dataset,
            objective=objective,
            lambda_=lambda_,
            bandwidth=bandwidth,
            hidden=hidden,
            entangler=entangler,
            depth=depth,
            steps=steps,
            learning_rate=learning_rate,
            report_every=report_every,
            device=device,
            seed=seed,
        )
    console = Console(highlight=False, quiet=as_json, soft_wrap=True)
    if trial is None:
        for note in unused_options(objective, lambda_, bandwidth):
            # A note is for people, so it must not come between a program and the JSON.
            print_note(Console(stderr=True, highlight=False) if as_json else console, note)
    try:
        with clean_stops():
            result = _train(chosen, console)
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted.[/] Nothing is kept; `qhn sweep run` keeps and resumes.")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        typer.echo(result.to_json())
    else:
        _print_result(result, chosen.config, console)


def _refuse_others(context: typer.Context) -> None:
    """Refuse other options beside ``--trial``. The file has all settings, so they would be ignored.

    Raises:
        SpecError: if another option was given.
    """
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in ("trial", "as_json") and _was_given(context, parameter.name)
    ]
    if given:
        raise SpecError(
            f"--trial must be the only option, because the file has every setting, but got "
            f"{', '.join(given)} too; to change a setting, edit a copy of the file"
        )


def _was_given(context: typer.Context, name: str | None) -> bool:
    source = None if name is None else context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


@contextmanager
def _patience(console: Console) -> Iterator[Callable[[float], None]]:
    """A progress bar for a loss table, which is shown if the table takes more than two seconds."""
    begin = time.monotonic()
    columns = (TextColumn("evaluating all networks"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, visible=False)
        yield lambda done: bar.update(
            task, completed=done, visible=time.monotonic() - begin > _PATIENCE_S
        )


def _train(chosen: Chosen, console: Console) -> TrialResult:
    """Train, and print a line for each report when it is made."""
    from qhn.sweeps.config import factory
    from qhn.sweeps.trial.alone import opened_alone

    config = chosen.config
    console.print(f"{config.to_json()}\n", markup=False)
    with _patience(console) as tell:
        problem = factory.problem(config, tell)
    _warn_of_payment(config, console)
    with opened_alone(config, chosen.entry) as opened:
        try:
            return _follow(config, problem, opened, console)
        except KeyboardInterrupt:
            # What a rehearsal has drawn can be drawn again.
            if not opened.device.capabilities.reproducible:
                for job in opened.jobs_left():
                    print_note(console, f"job {job} goes on at the provider, and may be billed")
            raise


def _follow(config: TrialConfig, problem: Task, opened: Opened, console: Console) -> TrialResult:
    """Train to the end, and show each report, and where the trial waits between them."""
    from qhn.cli.lane_words import spent_text, state_text
    from qhn.sweeps.trial.session import TrialSession, result_of

    places = console.width // _WIDTH - 1 if console.is_terminal else len(_COLUMNS)
    shown: dict[str, str] = {}
    session = TrialSession(config, problem, opened.device, None, opened.sampler)
    finished, last = False, -1
    with waiting(console) as wait:
        while not finished:
            # On a queued device it comes back every second, whether there is a report or not.
            progress = session.work(math.inf, until_report=True)
            finished = progress.finished
            if progress.metrics and progress.step > last:
                last = progress.step
                if not shown:
                    # A device that only samples reports no entropy, for example. So the columns are
                    # known with the first report.
                    known = [(k, title) for k, title in _COLUMNS.items() if k in progress.metrics]
                    shown = dict(known[: max(1, places)])
                    titles = ("step", *shown.values())
                    console.print("".join(f"{title:>{_WIDTH}}" for title in titles))
                numbers = "".join(f"{progress.metrics[name]:>{_WIDTH}.3g}" for name in shown)
                console.print(f"{progress.step:>{_WIDTH}}{numbers}")
            elif progress.lane is not None:
                where = state_text(progress.lane["state"], progress.lane["note"])
                wait.say(f"step {session.trainer.step}: {where}")
    notes = [*session.notes, *([] if opened.sampler is None else opened.sampler.notes)]
    for note in notes:
        print_note(console, note)
    if opened.sampler is not None:
        use = opened.sampler.use
        spent = spent_text(Usage(use.shots, use.qpu_seconds, use.cost), None, opened.currency)
        console.print(
            f"{counted(use.jobs, 'job')}, {use.shots:,} shots, {spent}; "
            f"{use.queued_s:,.1f} s queued, {use.executing_s:,.1f} s executing"
        )
    return result_of(config.trial_id, session.state(), "finished")


def _warn_of_payment(config: TrialConfig, console: Console) -> None:
    """Say what a processor is, before the first job is submitted."""
    device = config.device
    if device.capabilities.queued and not device.capabilities.reproducible:
        for note in device.notes(config.n_qubits):
            print_note(console, note)
        print_note(
            console,
            "nothing is kept here, so samples that were paid for are lost when this command ends; "
            "`qhn sweep run` keeps them, and takes up its jobs after an interruption",
        )


def _print_result(result: TrialResult, config: TrialConfig, console: Console) -> None:
    console.print()
    for name, step in result.flags.items():
        console.print(f"[yellow]flag[/] {name}, first seen at step {step}")
    if result.top_strings:
        best = Table(*result.top_strings[0], box=box.SIMPLE_HEAD)
        for top in result.top_strings[:5]:
            best.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in top.values()))
        console.print("most probable outcomes", best)
    # On a queued device this is only our own share: the waits and the jobs are told above.
    time_of = "computed in" if config.device.capabilities.queued else "in"
    console.print(
        f"{counted(config.n_qubits, 'qubit')}, {counted(result.steps, 'step')} "
        f"{time_of} {result.training_seconds:.2f} s"
    )
