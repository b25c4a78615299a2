"""Early stopping within groups: a trial is compared only with trials of its own kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler

from qhn.core.metrics import BY_NAME
from qhn.sweeps.config.sections import AshaConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.driver.scheduler import PatientScheduler
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import Store, TrialResult, read_record

Race = tuple[str, str]


def race_of(config: TrialConfig) -> Race:
    """The (data set and network, objective) within which trials are compared."""
    return (config.problem_key, config.objective.name)


def _if_stopped(result: TrialResult) -> TrialResult | None:
    return result if result.status == "stopped" else None


class GroupedAsha(PatientScheduler):
    """Asynchronous successive halving (arXiv 1810.05934).

    Each race, which is one data set, network and objective, is judged on its own. Trials that were
    over before this run take part with their histories, so that a resumed sweep compares with all
    of them. Which trials are stopped depends on the order in which they report: the one part of a
    sweep that scheduling can change.

    Args:
        rule: how the sweep stops trials.
        planned: all trials of the sweep.
        over: the results of those that were over before this run.
        store: where their histories are.
        slots: by lane, trials that run at once.
    """

    def __init__(
        self,
        rule: AshaConfig,
        planned: Iterable[PlannedTrial],
        over: Mapping[str, TrialResult],
        store: Store,
        slots: Mapping[str, int],
    ) -> None:
        super().__init__(slots)
        self._rule = rule
        self._races: dict[Race, AsyncHyperBandScheduler] = {}
        for trial in planned:
            if (result := over.get(trial.trial_id)) is not None:
                record = read_record(store, trial.trial_id, stop=_if_stopped(result))
                self._replay(trial, [(s, m) for s, _, m in record.history.items()])

    def _race(self, config: TrialConfig) -> AsyncHyperBandScheduler:
        race, rule = race_of(config), self._rule
        if race not in self._races:
            self._races[race] = AsyncHyperBandScheduler(
                time_attr="step",
                metric="qhn_score",
                mode="min" if BY_NAME[rule.metric].better == "down" else "max",
                max_t=config.training.steps,
                grace_period=min(rule.grace_steps, config.training.steps),
                reduction_factor=rule.reduction_factor,
                stop_last_trials=False,
            )
        return self._races[race]

    def _replay(self, trial: PlannedTrial, rows: list[tuple[int, dict[str, float]]]) -> None:
        race, stand_in = self._race(trial.config), SimpleNamespace(trial_id=trial.trial_id)
        race.on_trial_add(None, stand_in)
        for step, metrics in rows:
            score = metrics[self._rule.metric]
            race.on_trial_result(None, stand_in, {"step": step, "qhn_score": score})

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """A trial enters its race."""
        super().on_trial_add(tune_controller, trial)
        self._of(trial).on_trial_add(tune_controller, _entry(trial))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Stop the trial, or let it go on.

        A piece of work that ended by the clock carries the trial's last report once more. A race
        notes each trial once at each of its milestones, so that a repetition changes nothing.
        """
        return str(self._of(trial).on_trial_result(tune_controller, _entry(trial), result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """A trial is over; its last report counts in its race, if it has one."""
        super().on_trial_complete(tune_controller, trial, result)
        if "qhn_score" in result:
            self._of(trial).on_trial_complete(tune_controller, _entry(trial), result)
        else:  # it failed
            self._of(trial).on_trial_remove(tune_controller, _entry(trial))

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A failed trial is compared no more."""
        super().on_trial_error(tune_controller, trial)
        self._of(trial).on_trial_remove(tune_controller, _entry(trial))

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """A trial is given up before it ran."""
        super().on_trial_remove(tune_controller, trial)
        self._of(trial).on_trial_remove(tune_controller, _entry(trial))

    def _of(self, trial: Any) -> AsyncHyperBandScheduler:
        return self._race(TrialConfig.from_json(trial.config["trial"]))


def _entry(trial: Any) -> SimpleNamespace:
    """What takes part in a race: the trial itself, however often Tune has begun it.

    Tune gives a trial whose process died another id, under which its scores would count twice.
    """
    return SimpleNamespace(trial_id=trial.config["id"])
