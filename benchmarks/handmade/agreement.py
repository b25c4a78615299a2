"""Whether the stack by hand trains what qhn trains, and how long its gradients take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from engines.base import Contender, FloatArray
from engines.qnodes import Adjoint, Backprop, ParameterShift
from engines.timing import interleave

from handmade.reporting import Tables
from handmade.training import Settings, train
from qhn.core.estimators.angles import initial_angles
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig

TOLERANCE = 1e-6


def time_gradients(config: TrialConfig) -> Iterator[str]:
    """Time value and gradient of the loss by each way that PennyLane documents, as lines of text.

    The loss is the expectation of a dense diagonal observable. As a matrix it would take 4 GiB at
    14 qubits, as a sum of Pauli words 2^14 terms, and the adjoint method knows no gradients of
    probabilities. What is left are a sparse observable, and probabilities whose gradient comes by
    backpropagation.
    """
    ansatz, problem = factory.ansatz(config), factory.problem(config)
    angles = initial_angles(ansatz, config.seed)
    contenders: list[Contender] = [Adjoint(ansatz), Backprop(ansatz), ParameterShift(ansatz)]

    def call(contender: Contender) -> Callable[[], object]:
        contender.fix_observable(problem.nll)
        return lambda: contender.value_and_gradient(angles)

    calls = {(contender.name, "gradient"): call(contender) for contender in contenders}
    for (name, _), timed in interleave(calls, rounds=20, seconds=2.0).items():
        yield f"value and gradient, {name:40s}{timed.median:9.2f} ms"


def check_agreement(config: TrialConfig) -> str:
    """Train one trial by hand, and compare its metrics with qhn's at the angles of each report.

    The two trainings move apart: Adam enlarges small gradients, and with them the differences of
    rounding, and PennyLane's adds its small constant at another place.

    Raises:
        SystemExit: if they differ by more than `TOLERANCE`.
    """
    problem = factory.problem(config)
    ansatz, settings = factory.ansatz(config), Settings.of(config)
    reports: list[tuple[dict[str, float], FloatArray]] = []
    train(Tables.of(problem), settings, lambda *report: reports.append(report))
    with config.device.open(ansatz) as device:
        estimator = factory.estimator(config, problem, device)
        apart = Counter[str]()
        for metrics, angles in reports:
            found = estimator.evaluate(angles, settings.weight, 0)
            ours = {"objective": found.value, **estimator.measure(0)}
            # The networks of best_of_k are drawn at random.
            for name in ours.keys() - {"train_accuracy_best_of_k", "test_accuracy_best_of_k"}:
                apart[name] = max(apart[name], abs(ours[name] - metrics[name]))
        trainer = factory.trainer(config, problem, device)
        while not trainer.finished:
            trainer.advance()
    (worst, most), *_ = apart.most_common()
    if most > TOLERANCE:
        raise SystemExit(f"{worst} of {config.objective.name} differs by {most:.1e}")
    ends = abs(reports[-1][0]["objective"] - trainer.history.last()["objective"])
    return (
        f"{config.objective.name}: at the same angles of {len(reports)} reports the objectives "
        f"differ by {apart['objective']:.1e} and no metric by more than {most:.1e} ({worst}); the "
        f"objectives at the ends of both trainings by {ends:.1e}"
    )
