"""Short names of groups for tables and legends: what varies in a sweep, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from qhn.sweeps.config import factory as build
from qhn.sweeps.config.trial import TrialConfig

#: How a part of a label is told from others: what it belongs to, and the field.
_Key = tuple[str, str]
_Texts = Mapping[_Key, str]


def labels(groups: Mapping[str, TrialConfig]) -> dict[str, str]:
    """A unique label for each group of one sweep, such as ``moons elbo lambda=1``.

    Data set, objective and λ are always named, everything else only if it varies within the
    sweep. So labels can change when a sweep is extended by new values (not by new seeds): they
    are for people, the group's id is for programs.

    Args:
        groups: group id and the configuration of any of its trials.

    Returns:
        Label by group id, ASCII.
    """
    # Four digits read best; in the rare sweep where they are too few, every digit is shown.
    for digits in (4, 17):
        found = _labels(groups, digits)
        if len(set(found.values())) == len(found):
            return found
    return {group: f"{label} {group[:6]}" for group, label in found.items()}


def _labels(groups: Mapping[str, TrialConfig], digits: int) -> dict[str, str]:
    texts = {group: _texts(config, digits) for group, config in groups.items()}
    values: dict[_Key, set[str]] = defaultdict(set)
    for of_group in texts.values():
        for key, text in of_group.items():
            values[key].add(text)
    return {
        group: " ".join(
            text for key, text in of_group.items() if key[0] == "always" or len(values[key]) > 1
        )
        for group, of_group in texts.items()
    }


def _texts(config: TrialConfig, digits: int) -> _Texts:
    """All that can be said about a group, in the order of the label."""
    data, network, ansatz = config.dataset, config.network, config.ansatz
    objective, training = config.objective, config.training

    def number(value: float) -> str:
        return f"{value:.{digits}g}"

    texts: dict[_Key, str] = {("always", "dataset"): data.name}
    # Fields of a data set vary if they do among the data sets of its name; likewise below.
    if data.noise is not None:
        texts[data.name, "noise"] = f"noise={number(data.noise)}"
    texts[data.name, "train"] = f"train={data.train}"
    texts[data.name, "test"] = f"test={data.test}"
    texts[data.name, "seed"] = f"data-seed={data.seed}"
    texts["network", "kind"] = network.kind
    if network.hidden is not None:
        texts["network", "hidden"] = f"hidden={network.hidden}"
    texts["ansatz", "entangler"] = ansatz.entangler
    texts["ansatz", "depth"] = f"depth={ansatz.depth}"
    order = "entanglers-first" if ansatz.entanglers_first else "rotations-first"
    texts[ansatz.entangler, "order"] = order
    # Always named, since a reader compares objectives first, also across sweeps.
    texts["always", "objective"] = objective.name
    if objective.lambda_ is not None:
        schedule = build.schedule(objective.lambda_)
        texts["always", "lambda"] = f"lambda={schedule.label(number)}"
        # The one field that a schedule's own label leaves out, since it rarely varies.
        over = getattr(schedule, "over", None)
        if over is not None:
            texts[schedule.kind, "over"] = f"over={number(over)}"
    if objective.bandwidth is not None:
        texts["objective", "h"] = f"h={number(objective.bandwidth)}"
    if objective.name == "selbo":
        texts["objective", "prior"] = f"prior={objective.prior_samples or 'closed-form'}"
    texts["training", "learning rate"] = f"lr={number(training.learning_rate)}"
    texts["device", "name"] = config.device.name
    return texts
