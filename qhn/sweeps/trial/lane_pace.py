"""How often a trial asks about its job, and how long it pauses after failures."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.devices.queued import Phase, Provider
from qhn.lanes.failures import pause_s

#: No pause is shorter, seconds, so that a rehearsal that is sped up leaves time for computing.
SHORTEST_S = 0.003
# The provider's seconds after which a listing that lags is searched again. A job that is in none of
# these listings was not submitted.
_SEARCHES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_LONGEST_LOOK_S = 30.0


@dataclass(frozen=True)
class Pace:
    """The pauses of one trial. All of them are in real seconds, whatever the provider's clock does.

    Attributes:
        execution_s: how long a job of this trial is expected to execute.
        speedup: how many seconds of the provider pass in one second; 1 for a real provider.
        seed: the seed of the spread of pauses after failures.
    """

    execution_s: float
    speedup: float
    seed: int

    @classmethod
    def of(cls, provider: Provider, executions: int, seed: int) -> Pace:
        """The pace for jobs of so many executions at a provider."""
        return cls(provider.qpu_seconds(executions) / provider.speedup, provider.speedup, seed)

    def until_next_look(self, phase: Phase, waited_s: float) -> float:
        """The pause before the next look at a job.

        A job that executes is looked at four times in the time that it takes, so that the processor
        is not idle for long because nobody has noticed its end. Before, a tenth of the time that
        the job has waited is added to that, since a long queue has no need to be asked every
        second.

        Args:
            phase: where the job is.
            waited_s: for how long the job has been looked at.
        """
        base = self.execution_s / 4
        pause = base if phase == "running" else base + waited_s / 10
        return max(SHORTEST_S, min(pause, _LONGEST_LOOK_S))

    def after_failure(self, number: int, submission: str) -> float:
        """The pause after a call or a job that failed; see `pause_s`.

        Args:
            number: 0 for the first failure in a row, and one more for each further one.
            submission: the submission id.
        """
        pause = pause_s(number, seed=self.seed, submission=submission)
        return max(SHORTEST_S, pause / self.speedup)

    def searches(self) -> list[float]:
        """The pauses between searches for a job in a listing that may lag."""
        return [max(SHORTEST_S, pause / self.speedup) for pause in _SEARCHES_S]
