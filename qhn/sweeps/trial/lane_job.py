"""What follows once a job has an id: its end is awaited, and its samples are fetched."""

from __future__ import annotations

from contextlib import suppress

from qhn.core.arrays import IntArray
from qhn.devices.queued import JobReport, Part
from qhn.lanes.desk import Chore, Over
from qhn.lanes.failures import Verdict, classify
from qhn.lanes.ledger import Outcome
from qhn.sweeps.trial.lane_course import Course, Hold, Pause, Travel, words_of
from qhn.sweeps.trial.lane_use import KEPT_JOBS, Whereabouts

# How often in a row a provider may say that it does not know a job which it has accepted.
_MOST_UNKNOWN = 12


def watch(travel: Travel, hold: Hold, job_id: str) -> Course[JobReport]:
    """Wait until a job has ended, with growing pauses, while the lease is renewed.

    Raises:
        LeaseLostError: if the lease is lost.
        LaneError: if the provider refuses to say how the job is.
    """
    began, number = travel.clock(), 0
    # When the job had not begun to execute yet, as far as is known.
    queued_at = began
    where: Whereabouts = "queued"
    while True:
        note = ""
        try:
            report = travel.handle.look(job_id)
        except Exception as error:  # noqa: BLE001 - a provider's library raises anything
            _check_passes(travel, job_id, error, number)
            pause, note = travel.pace.after_failure(number, hold.submission), words_of(error)
            number += 1
        else:
            if report.is_over:
                return report
            number, now = 0, travel.clock()
            if report.phase == "running":
                where, pause = "executing", travel.pace.while_running(now - queued_at)
            else:
                where, pause, queued_at = "queued", travel.pace.while_queued(now - began), now
        yield from hold.wait(pause, where, note)


def fetch(travel: Travel, job_id: str, place: int, hold: Hold | None = None) -> Course[IntArray]:
    """The samples of one part of a job that is done.

    The others belong to other trials, which fetch theirs: a device may compute or decode each.

    Args:
        travel: who fetches.
        job_id: the provider's id of the job.
        place: the number of the part in the job, from 0 on.
        hold: the lease of the job, if it is still held.

    Raises:
        LeaseLostError: if the lease is lost.
        LaneError: if the provider does not give them.
    """
    number = 0
    while True:
        if travel.fetched is not None and travel.fetched[:2] == (job_id, place):
            return travel.fetched[2]
        try:
            (samples,) = travel.handle.fetch(job_id, [place])
            travel.fetched = (job_id, place, samples)
        except Exception as error:  # noqa: BLE001 - a provider's library raises anything
            _check_passes(travel, job_id, error, number)
            pause = travel.pace.after_failure(number, job_id)
            number += 1
            if hold is None:
                yield Pause(pause, "queued", words_of(error))
            else:
                yield from hold.wait(pause, "queued", words_of(error))


def collect(travel: Travel, part: Part, over: Over, kept: IntArray | None) -> Course[IntArray]:
    """The samples of one step out of a job that is done, and its entry in the trial's account.

    Args:
        travel: who collects.
        part: the work of the step.
        over: how the job ended.
        kept: the samples, if they were kept before.

    Raises:
        LaneError: if the provider does not give them, or gives others than were asked for.
    """
    assert over.job_id is not None
    samples = kept
    if samples is None:
        samples = yield from fetch(travel, over.job_id, over.place)
        travel.fetched = None
        if samples.shape != (len(part.sets), part.shots):
            raise travel.give_up(
                f"job {over.job_id} must have samples of shape {(len(part.sets), part.shots)}",
                f"it has {samples.shape}",
            )
    use = travel.use
    use.jobs += 1
    use.shots += over.used.shots
    use.qpu_seconds += over.used.qpu_seconds
    use.cost += over.used.cost
    use.job_ids = [*use.job_ids, over.job_id][-KEPT_JOBS:]
    # Times only inform people. A provider that does not tell them now must not cost the samples.
    with suppress(Exception):
        report = travel.handle.look(over.job_id)
        use.queued_s += report.queued_s or 0.0
        use.executing_s += report.executing_s or 0.0
        use.calibrated = report.calibrated or use.calibrated
    return samples


def look_into(travel: Travel, chore: Chore) -> None:
    """Find out what became of a job that nobody looks after, and tell the broker.

    It is done for the good of all that wait, so that no error in it counts against this trial.
    """
    with suppress(Exception):
        job_id = chore.job_id
        if job_id is None:
            if travel.promise != "findable":
                # Only the trial itself, or a person, can find out more.
                return
            if (job_id := travel.handle.find(chore.submission)) is None:
                # After another lease the job may have been submitted a moment ago, so that what was
                # not there before says nothing.
                which = chore.submission, chore.token
                first = travel.missed.setdefault(which, travel.clock())
                if travel.clock() - first >= sum(travel.pace.searches()):
                    del travel.missed[which]
                    travel.desk.settle(chore.submission, "failed", None, None, "it is nowhere")
                return
        report = travel.handle.look(job_id)
        if report.is_over:
            outcome: Outcome = "done" if report.phase == "done" else "failed"
            used = travel.usage(report)
            travel.desk.settle(chore.submission, outcome, used, job_id, report.why)


def _check_passes(travel: Travel, job_id: str, error: Exception, number: int) -> None:
    """Check that an error about a job passes by itself.

    Raises:
        LaneError: if it does not.
    """
    verdict = classify(error, "poll")
    unknown = verdict is Verdict.REATTACH and number >= _MOST_UNKNOWN
    if verdict is Verdict.PERMANENT or unknown:
        raise travel.give_up(
            f"job {job_id} was submitted, and cannot be had", words_of(error)
        ) from error
