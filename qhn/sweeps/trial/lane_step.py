"""One training step on a queued device, from the request for a lease to the samples.

Whatever happens on the way, the trial asks again, and the broker's reply says how things are. So
every crash and every lost answer ends up at the same question, and nothing here must be remembered.
"""

from __future__ import annotations

from collections.abc import Callable

from qhn.core.arrays import IntArray
from qhn.core.errors import LaneError
from qhn.devices.queued import Part
from qhn.lanes.desk import (
    Asking,
    Chore,
    Granted,
    Over,
    Refused,
    Reply,
    Waiting,
    account,
)
from qhn.lanes.failures import Verdict, classify
from qhn.lanes.state import Request
from qhn.lanes.submission import Submission
from qhn.sweeps.planning.prices import amount_text
from qhn.sweeps.trial.lane_course import Course, Hold, LeaseLostError, Pause, Travel
from qhn.sweeps.trial.lane_job import collect, fetch, look_into, watch
from qhn.sweeps.trial.lane_submission import NOT_SUBMITTED, obtain
from qhn.sweeps.trial.parts import encode_part

#: How many jobs of one step may fail at the provider before the trial fails with them.
MOST_FAILED_JOBS = 10
# How long a trial whose budget is spent waits before it asks again.
_BUDGET_S = 1.0


class BudgetSpentError(Exception):
    """The budget has no room for the next job, and the trial does not go on for now."""


class Step:
    """One step of one trial on its way to its samples.

    Args:
        travel: what the trial needs on its way.
        part: the work of the step.
        kept: the samples of the step if they were kept before, and None otherwise.
        keep: called with the samples as soon as they are there, before the lease is given back.
        hold_s: gives the seconds for which the broker may hold an answer back.
    """

    def __init__(
        self,
        travel: Travel,
        part: Part,
        kept: IntArray | None,
        keep: Callable[[IntArray], None],
        hold_s: Callable[[], float],
    ) -> None:
        self._travel = travel
        self._part = part
        self._content = encode_part(part)
        self._kept = kept
        self._keep = keep
        self._hold_s = hold_s
        self._wanted = travel.ticket.wanted(part.executions)
        self._submission = Submission(travel.store_id, travel.trial, part.key.step)
        # The lease of another trial with which this step goes out.
        self._known: int | None = None
        # Whether this process has waited for the present attempt, and how many it saw fail.
        self._waited = False
        self._failed = 0

    def course(self) -> Course[IntArray]:
        """The way to the samples, shape ``(M, S)``.

        Raises:
            BudgetSpentError: if the budget has no room for the job.
            LaneError: if the provider refuses the job for good.
            StoreError: if the broker cannot use a ledger.
        """
        travel = self._travel
        while True:
            reply = self._ask()
            travel.notes.extend(reply.notes)
            self._waited |= not isinstance(reply, Over)
            match reply:
                case Over(outcome="done"):
                    return (yield from self._collect(reply))
                case Over():
                    yield from self._try_again(reply)
                case Granted(leads=True, record=None) if self._kept is not None:
                    # The ledger was deleted. The samples are here and are paid for.
                    travel.desk.gone(travel.holder)
                    return self._kept
                case Granted(leads=True):
                    self._known = None
                    try:
                        yield from self._lead(reply)
                    except LeaseLostError:
                        continue
                case _ if self._kept is not None:
                    # The samples are here. Who paid for them is found out another time.
                    return self._kept
                case Granted(token=token):
                    self._known = token
                    # Its job is that of another trial, which is usual: there is nothing to tell.
                    yield Pause(0.0, "queued")
                case Waiting(chore=chore):
                    if isinstance(chore, Chore):
                        look_into(travel, chore)
                    yield Pause(0.0, "waiting for lease")
                case Refused(waits=True):
                    yield Pause(_BUDGET_S, "waiting for budget")
                case Refused(spent=spent):
                    raise BudgetSpentError(
                        f"the budget of lane {travel.ticket.lane} is spent: its jobs have used "
                        f"{spent.shots:,} shots, {amount_text(spent.qpu_seconds)} QPU s and "
                        f"{amount_text(spent.cost)} in money; raise it in the sweep file, and run "
                        "that again"
                    )

    def _ask(self) -> Reply:
        travel = self._travel
        request = Request(
            submission=self._submission.id,
            holder=travel.holder,
            sweep=account(travel.ticket.sweep, travel.store_id),
            trial=travel.trial,
            wanted=self._wanted,
        )
        ticket = travel.ticket
        asking = Asking(request, self._content, ticket.store, ticket.limits, ticket.budget)
        # Half a term at most: a request that is not repeated within the term is forgotten.
        wait_s = max(0.0, min(self._hold_s(), ticket.limits.term_s / 2))
        begin = travel.clock()
        reply = travel.desk.ask(asking, wait_s if self._kept is None else 0.0, self._known)
        if self._known is None:
            travel.use.waiting_s += travel.clock() - begin
        return reply

    def _lead(self, grant: Granted) -> Course[None]:
        """Bring a job to its end, for all whose steps are in it."""
        travel, hold = self._travel, Hold(self._travel, grant)
        job_id = yield from obtain(travel, hold, grant.record)
        if job_id is None:
            return
        if not travel.desk.submitted(hold.token, travel.holder, job_id):
            raise LeaseLostError
        travel.submitted = None
        report = yield from watch(travel, hold, job_id)
        used = travel.usage(report)
        if report.phase == "failed":
            hold.release("failed", used, report.why)
            return
        if self._kept is None and not travel.handle.capabilities.reproducible:
            # What is paid for is safe before anybody learns that the job is over. If the device
            # gives the same samples again, the next job need not wait for that.
            self._keep((yield from fetch(travel, job_id, grant.place, hold)))
        hold.release("done", used)

    def _collect(self, over: Over) -> Course[IntArray]:
        fresh = self._kept is None
        samples = yield from collect(self._travel, self._part, over, self._kept)
        if fresh:
            self._keep(samples)
        return samples

    def _try_again(self, over: Over) -> Course[None]:
        """Go on to the next attempt, after a pause.

        Attempts that had failed before this process asked for them are only passed by. Otherwise a
        trial that has failed with its jobs could never be tried again: the ledger keeps them.

        Raises:
            LaneError: if another attempt would fail as well.
        """
        travel, last, is_news = self._travel, self._submission, self._waited
        travel.use.failed += 1
        if travel.submitted is not None:
            travel.notes.append(
                f"job {travel.submitted[1]} on {travel.handle.name} was accepted only after it had "
                "been given up, so that nobody uses it; it may have to be paid for unless it is "
                "cancelled there"
            )
            travel.submitted = None
        if is_news and not over.why.startswith(NOT_SUBMITTED) and over.outcome == "failed":
            # A job that the provider took and that failed there may have been billed.
            self._failed += 1
            refused = classify(LaneError(over.why), "poll") is Verdict.PERMANENT
            if refused or self._failed >= MOST_FAILED_JOBS:
                times = "" if self._failed == 1 else f" {self._failed} times"
                raise travel.give_up(f"the job of step {last.step} failed{times}", over.why)
        self._submission, self._waited = last.again(), False
        pause = 0.0
        if is_news and over.outcome == "failed":
            pause = travel.pace.after_failure(last.attempt, last.id)
        yield Pause(pause, "waiting for lease", over.why)
