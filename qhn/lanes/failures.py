"""What to do about errors of a provider: wait, take the job up again, or give up.

Providers raise most errors as one class, with the reason in the text. So errors are told apart by a
table of codes and words. What the table does not know is permanent while a job is submitted,
because trying again may cost money, and passes while a job is only asked about.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from qhn.core.checks import check_count
from qhn.lanes.amounts import check_amount

#: What was being done: submitting a job, or asking about one that was submitted.
Moment = Literal["submit", "poll"]


class Verdict(Enum):
    """What to do about an error."""

    #: Nothing was submitted, or only the asking failed: pause, and do the same again.
    WAIT = "wait"
    #: A job may be there: find it, or submit with the same id; see `qhn.lanes.recovery`.
    REATTACH = "reattach"
    #: It would fail again: the trial ends with the provider's words.
    PERMANENT = "permanent"


@dataclass(frozen=True)
class Rule:
    """One line of the table.

    Attributes:
        pattern: what an error's text or class must match, without regard to case.
        submit: the verdict where a job was being submitted.
        poll: the verdict where a job was being asked about.
    """

    pattern: re.Pattern[str]
    submit: Verdict
    poll: Verdict


def _rule(pattern: str, submit: Verdict, poll: Verdict) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), submit, poll)


def _code(*codes: int) -> str:
    """A code as providers write it into texts, and not as a part of a longer number or a job id."""
    numbers = "|".join(map(str, codes))
    return rf"(?:code['\"]?\s*[:=]?\s*['\"]?|\#)(?:{numbers})\b"


def _status(*codes: int) -> str:
    """An HTTP status, as in "429 Client Error", "status code 429" and "too many 500 errors"."""
    numbers = "|".join(map(str, codes))
    return (
        rf"\b(?:{numbers}) (?:client|server) error"
        rf"|\b(?:status(?: code)?|http)\W{{0,3}}(?:{numbers})\b"
        rf"|too many (?:{numbers}) error"
    )


# The first rule that matches decides. So what a provider says about the reason comes before the
# HTTP status, which is 400 or 403 for a full queue as well as for a wrong token.
TABLE: tuple[Rule, ...] = (
    # The lane's own limits should keep these from happening; other users of the account do not
    # keep to them. Nothing was accepted.
    _rule(
        r"(?:maximum|max|limit) (?:number )?(?:of |\(\d+\) of )?(?:\d+ )?(?:pending|concurrent)"
        r"|pending job limit|" + _code(1012, 3458),
        Verdict.WAIT,
        Verdict.WAIT,
    ),
    _rule(
        r"too many requests|rate.?limit|throttl|slow ?down|" + _status(425, 429),
        Verdict.WAIT,
        Verdict.WAIT,
    ),
    # The session is closed, while the job may be complete. A new submission needs no session.
    _rule(r"session (?:has been |is |was )?(?:closed|expired)", Verdict.WAIT, Verdict.REATTACH),
    # Money and rights: nothing but a person changes these.
    _rule(
        r"quota|usage limit|instance limit|insufficient (?:funds|credit)|payment|" + _code(4317),
        Verdict.PERMANENT,
        Verdict.PERMANENT,
    ),
    _rule(
        r"unauthori[sz]ed|not authori[sz]ed|forbidden|invalid (?:token|api ?key|credential)"
        r"|access ?denied|" + _status(401, 403),
        Verdict.PERMANENT,
        Verdict.PERMANENT,
    ),
    # The processor rests: the job was not taken, or goes on afterwards.
    _rule(
        r"(?:device|backend|qpu) (?:is )?(?:offline|paused|under maintenance|not available)"
        r"|maintenance|" + _code(1004),
        Verdict.WAIT,
        Verdict.WAIT,
    ),
    # The connection was never made, so nothing arrived.
    _rule(
        r"name or service not known|name resolution|getaddrinfo|connection refused"
        r"|no route to host|network is unreachable|NewConnectionError",
        Verdict.WAIT,
        Verdict.WAIT,
    ),
    # The connection broke, or the server did: the job may have been accepted before.
    _rule(
        r"time[d]?.?out|timeouterror|connection (?:reset|aborted|broken)|remote end closed"
        r"|remotedisconnected|broken pipe|chunkedencoding|incomplete ?read|bad gateway"
        r"|service unavailable|gateway time|internal (?:server )?error|"
        + _status(408, 500, 502, 503, 504)
        + "|"
        + _code(1000, 1006, 1008, 1010, 1011),
        Verdict.REATTACH,
        Verdict.WAIT,
    ),
    # An id that is there already, and one that a listing does not show yet.
    _rule(r"already exists|conflict|" + _status(409), Verdict.REATTACH, Verdict.REATTACH),
    _rule(r"job not found|" + _status(404), Verdict.PERMANENT, Verdict.REATTACH),
    # The circuits, the shots or the options are wrong.
    _rule(
        r"validation|not valid|invalid|unsupported|not supported|exceeds|larger than|"
        + _status(400, 405, 410, 413, 415, 422)
        + "|"
        + _code(1002, 1003, 1005, 1007, 1009, 1101, 1102, 1103),
        Verdict.PERMANENT,
        Verdict.PERMANENT,
    ),
)


def classify(error: BaseException, moment: Moment) -> Verdict:
    """What to do about an error.

    Args:
        error: what was raised. The errors that it was raised from count as well.
        moment: what was being done.
    """
    text = _text_of(error)
    for rule in TABLE:
        if rule.pattern.search(text):
            return rule.submit if moment == "submit" else rule.poll
    if isinstance(error, ConnectionError | TimeoutError):
        return Verdict.REATTACH if moment == "submit" else Verdict.WAIT
    return Verdict.PERMANENT if moment == "submit" else Verdict.WAIT


def is_known(error: BaseException) -> bool:
    """Whether the table says what an error means.

    If not, a submission that ended with it may yet have been accepted: an answer that cannot be
    read raises errors of all kinds.
    """
    text = _text_of(error)
    return any(rule.pattern.search(text) for rule in TABLE)


def pause_s(
    attempt: int, *, seed: int, submission: str, first_s: float = 2.0, most_s: float = 300.0
) -> float:
    """How long to pause before trying again: pauses double, and are spread at random.

    Without the spread, all trials that met the same failure would come back at the same moment.

    Args:
        attempt: 0 after the first failure, and one more after each further one.
        seed: the seed of the spread.
        submission: the submission id; each has its own spread.
        first_s: the longest first pause, seconds.
        most_s: the longest pause, seconds.

    Returns:
        Seconds, between half of the longest pause of this attempt and the whole.

    Raises:
        InvalidValueError: if a number is out of its range.
    """
    check_count("attempt", attempt, least=0)
    check_amount("first_s", first_s, above_zero=True)
    check_amount("most_s", most_s, above_zero=True)
    # No float holds 2 to the power of a very large number of attempts.
    longest = min(most_s, first_s * 2.0 ** min(attempt, 60))
    # A text seeds the same numbers in every process, which a hash of a tuple would not.
    spread = random.Random(f"{seed} {submission} {attempt}").random()
    return longest * (0.5 + 0.5 * spread)


def _text_of(error: BaseException) -> str:
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        parts.append(f"{type(link).__name__}: {link}")
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n".join(parts)
