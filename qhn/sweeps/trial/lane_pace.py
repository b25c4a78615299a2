"""How often a trial asks about its job, and how long it pauses after failures."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.devices.queued import Provider
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

    def while_queued(self, waited_s: float) -> float:
        """The pause before the next look at a job that waits at the provider.

        A job is looked at four times in the time that it will execute, so that its start is not
        missed by much. After a long wait there is no need to ask every second.

        Args:
            waited_s: for how long the job has waited.
        """
        pause = max(self.execution_s / 4, waited_s / 20)
        return max(SHORTEST_S, min(pause, _LONGEST_LOOK_S))

    def while_running(self, runs_at_most_s: float) -> float:
        """The pause before the next look at a job that executes.

        Until somebody has seen the end of a job, its place in the queue stays empty. So from the
        first moment at which the end can be expected, the job is looked at often, and less often
        again if it takes longer than expected.

        Args:
            runs_at_most_s: the time since the job was last seen waiting.
        """
        left = self.execution_s - runs_at_most_s
        pause = left if left > 0 else max(self.execution_s / 40, -left / 8)
        return max(SHORTEST_S, min(pause, self.execution_s / 4, _LONGEST_LOOK_S))

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
