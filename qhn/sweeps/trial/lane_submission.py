"""How a job comes to its id: it is submitted, or the one that may exist is found.

Nothing is submitted twice as long as the device gives any way to avoid that. What is known of the
job decides, and after every error it may be less than before: a submission without an answer may
have been accepted.
"""

from __future__ import annotations

from qhn.core.errors import LaneError
from qhn.devices.queued import Part
from qhn.lanes.desk import Admission
from qhn.lanes.failures import Verdict, classify, is_known
from qhn.lanes.ledger import Record
from qhn.lanes.recovery import Action, action_for
from qhn.sweeps.trial.lane_course import Course, Hold, LeaseLostError, Travel, words_of
from qhn.sweeps.trial.parts import decode_part

#: How the reason of an attempt begins with which nothing was submitted.
NOT_SUBMITTED = "not submitted"
_PARTNER_S = 1.0


def obtain(travel: Travel, hold: Hold, record: Record | None) -> Course[str | None]:
    """Submit the job of a lease, or find it.

    Args:
        travel: whose lease it is.
        hold: the lease.
        record: what is written down about the job; None if it cannot exist yet.

    Returns:
        The provider's id of the job; None if nothing was submitted and the lease was given back.

    Raises:
        LeaseLostError: if the lease is lost.
        LaneError: if the provider refuses the job for good, or if nobody can find out whether it
            exists.
    """
    action = action_for(record, travel.promise)
    if action is Action.ATTACH:
        assert record is not None
        return record.job_id
    if record is not None and travel.submitted is not None:
        # The broker did not hear of it, perhaps because the call took longer than the lease.
        submission, known = travel.submitted
        if submission == hold.submission:
            return known
    # Whether the job may exist without our knowing it.
    uncertain = action is not Action.SUBMIT
    number = 0
    while True:
        if uncertain:
            if travel.promise == "neither":
                raise _nobody_knows(travel, hold)
            if travel.promise == "findable":
                if (job_id := (yield from search(travel, hold))) is not None:
                    return job_id
                uncertain = False
        admission = travel.desk.admit(hold.token, travel.holder)
        if admission is None:
            raise LeaseLostError
        parts = _parts_of(admission)
        if parts is None:
            # Other steps are in this job, and their trials have died with the broker that knew what
            # they wanted. Submitted again under the same id, the job must have the same content.
            if not uncertain:
                hold.release("failed", None, f"{NOT_SUBMITTED}: other trials of the job are gone")
                return None
            note = f"the other trials of job {admission.submission} must run again first"
            yield from hold.wait(_PARTNER_S, "queued", note)
            continue
        try:
            accepted = travel.handle.submit(admission.submission, parts)
            travel.submitted = admission.submission, accepted
            return accepted
        except Exception as error:
            words = words_of(error)
            verdict = classify(error, "submit")
            if verdict is Verdict.REATTACH:
                uncertain = True
            elif not uncertain:
                # Where nobody knows what the error means, the provider must say whether there is a
                # job: others in it would submit their steps again.
                look = travel.promise == "findable" and not is_known(error)
                if look and (job_id := (yield from search(travel, hold))) is not None:
                    return job_id
                hold.release("failed", None, f"{NOT_SUBMITTED}: {words}")
                if verdict is Verdict.WAIT:
                    return None
                raise travel.give_up("the job was refused", words) from error
            elif verdict is Verdict.PERMANENT:
                raise travel.give_up(
                    f"job {admission.submission} may have been accepted before it was refused",
                    words,
                ) from error
        # The lease is kept: if the job exists, it is in flight.
        pause = travel.pace.after_failure(number, hold.submission)
        number += 1
        yield from hold.wait(pause, "queued", words)


def search(travel: Travel, hold: Hold) -> Course[str | None]:
    """Look for a job by its submission id, more than once, because listings lag.

    Returns:
        The provider's id of the job; None if it is in none of the listings, and does not exist.

    Raises:
        LeaseLostError: if the lease is lost.
        LaneError: if the provider refuses to say.
    """
    pauses = travel.pace.searches()
    number = 0
    while True:
        try:
            found = travel.handle.find(hold.submission)
        except Exception as error:
            if classify(error, "poll") is Verdict.PERMANENT:
                raise travel.give_up(
                    f"job {hold.submission} cannot be searched", words_of(error)
                ) from error
            pause = travel.pace.after_failure(number, hold.submission)
            number += 1
        else:
            if found is not None or not pauses:
                return found
            pause, number = pauses.pop(0), 0
        yield from hold.wait(pause, "queued", "looking for a job that may have been submitted")


def _parts_of(admission: Admission) -> list[Part] | None:
    """The work of all steps of a job; None if some of it is not known."""
    parts = [decode_part(part) for part in admission.parts if part is not None]
    return parts if len(parts) == len(admission.parts) else None


def _nobody_knows(travel: Travel, hold: Hold) -> LaneError:
    queue = travel.ticket.queue
    return LaneError(
        f"job {hold.submission} on {travel.handle.name} was about to be submitted when its trial "
        "was interrupted. It may have been accepted and paid for, and this device gives no way to "
        "find it. Look at the provider's list of jobs. If it is not there, it may be submitted "
        f"anew: qhn lanes jobs {queue} --resubmit {hold.submission}. If it is there, it must be "
        f"given up and counts as paid: qhn lanes jobs {queue} --abandon {hold.submission}. "
        "Then run the sweep again with --retry-failed"
    )
