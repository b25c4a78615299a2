"""Early stopping, in which a trial is compared only with trials that solve the same problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from qhn.core.metrics import BY_NAME
from qhn.sweeps.config.sections import AshaConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.driver.scheduler import PatientScheduler
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import Store, TrialResult, read_record

Race = tuple[str, str]


def race_of(config: TrialConfig) -> Race:
    """The race of a trial: its data set and network, and its objective."""
    return (config.problem_key, config.objective_name)


def _if_stopped(result: TrialResult) -> TrialResult | None:
    return result if result.status == "stopped" else None


class GroupedAsha(PatientScheduler):
    """Asynchronous successive halving (arXiv 1810.05934), separately for each race.

    A race consists of the trials with the same data set, network and objective. Trials that ended
    before this run take part with their histories, so that a resumed sweep compares with all of
    them. Which trials are stopped depends on the order in which they report. This is the only part
    of a sweep whose results depend on scheduling.

    Args:
        rule: the rule by which the sweep stops trials.
        planned: all trials of the sweep.
        over: the results of the trials that ended before this run, by trial id.
        store: where their histories are.
        slots: how many trials run at once, by lane.
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
        # Tune's scheduler reads only the id of a trial. A trial that has ended has none from Tune.
        race, stand_in = self._race(trial.config), SimpleNamespace(trial_id=trial.trial_id)
        race.on_trial_add(None, stand_in)
        for step, metrics in rows:
            score = metrics[self._rule.metric]
            race.on_trial_result(None, stand_in, {"step": step, "qhn_score": score})

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Enter a trial into its race."""
        super().on_trial_add(tune_controller, trial)
        self._of(trial).on_trial_add(tune_controller, _entry(trial))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decide whether a trial stops or goes on.

        The result may repeat the last report of the trial, because a piece of work can also end
        when its time is over. That changes nothing: a race notes each trial only once at each of
        its milestones. A trial whose results have no score is never stopped.
        """
        if "qhn_score" not in result:
            return str(TrialScheduler.CONTINUE)
        return str(self._of(trial).on_trial_result(tune_controller, _entry(trial), result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Note the last report of a trial in its race, or take a failed trial out of the race."""
        super().on_trial_complete(tune_controller, trial, result)
        if "qhn_score" in result:
            self._of(trial).on_trial_complete(tune_controller, _entry(trial), result)
        else:  # the result of a failed trial has no score
            self._of(trial).on_trial_remove(tune_controller, _entry(trial))

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Take a trial whose process died out of its race."""
        super().on_trial_error(tune_controller, trial)
        self._of(trial).on_trial_remove(tune_controller, _entry(trial))

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Take a trial that was given up before it ran out of its race."""
        super().on_trial_remove(tune_controller, trial)
        self._of(trial).on_trial_remove(tune_controller, _entry(trial))

    def _of(self, trial: Any) -> AsyncHyperBandScheduler:
        return self._race(TrialConfig.from_json(trial.config["trial"]))


def _entry(trial: Any) -> SimpleNamespace:
    """What takes part in a race in place of Tune's trial: an object with qhn's id of the trial.

    A trial whose process died is started again under another id of Tune's. In the race it must
    stay the same, or its scores would count twice.
    """
    return SimpleNamespace(trial_id=trial.config["id"])
