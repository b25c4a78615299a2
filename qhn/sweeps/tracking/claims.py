"""The tag of an MLflow experiment with which a writer claims the sweep, and how others read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Protocol

from qhn.core.errors import OwnerError

#: The name of the tag begins like this and ends in the token of its claim.
CLAIM_TAG = "qhn.owner."
#: A writer may write for so many seconds after it has sent a renewal that succeeded.
LEASE_S = 45.0
#: Others take the sweep over from a writer if they have seen its claim unchanged for so many
#: seconds. The difference leaves time for a last request, which is given up after 20 s.
LAPSE_S = 70.0


@dataclass(frozen=True)
class Claim:
    """What one writer says of itself.

    Attributes:
        token: names the claim. It is made anew whenever a writer claims a sweep.
        holds: whether the writer owns the sweep. False if it only asks for it.
        count: how often the claim was written. Others see from it that the writer is alive.
        since_ms: when it was written first, in milliseconds since 1970 by the clock of its machine.
        renewed_ms: when it was written last, by the same clock.
        host: the name of the machine.
        process: the id of the writer's process on that machine.
        store: the address of the writer's store, for people.
    """

    token: str
    holds: bool
    count: int
    since_ms: int
    renewed_ms: int
    host: str
    process: int
    store: str

    @property
    def tag(self) -> str:
        """The name of the claim's tag."""
        return CLAIM_TAG + self.token

    def to_text(self) -> str:
        """The value of the claim's tag."""
        return json.dumps({k: v for k, v in asdict(self).items() if k != "token"})

    def looks_alive(self, now_ms: int) -> bool:
        """Whether the writer is alive, as far as the clocks of two machines can tell.

        Args:
            now_ms: the present time by the clock of this machine, in milliseconds since 1970.
        """
        return abs(now_ms - self.renewed_ms) <= LAPSE_S * 1000

    def refusal(self, sweep: str, place: str, now_ms: int) -> OwnerError:
        """The error for somebody else who wants the sweep.

        Args:
            sweep: the name of the sweep.
            place: the address of the tracking store, without credentials.
            now_ms: the present time in milliseconds since 1970.
        """
        since = datetime.fromtimestamp(self.since_ms / 1000, UTC)
        silent = max(0, now_ms - self.renewed_ms) / 1000
        return OwnerError(
            f"one store at a time may write the sweep {sweep!r} to the MLflow experiment of this "
            f"name at {place}, but process {self.process} on {self.host} with the store "
            f"{self.store} has done so since {since:%Y-%m-%d %H:%M:%S} UTC, and gave a sign of "
            f"life {silent:.0f} s ago; wait until it has ended (a process that was killed counts "
            f"as ended after {LAPSE_S:.0f} s), and run the same command again, or give the sweep "
            "another name, or another tracking server with --tracking-uri"
        )


class Claims(Protocol):
    """All claims to one sweep, which several writers may read and write at the same time.

    What one of them has written successfully, all others must see when they read later.

    Raises:
        TrackingError: from every method, if the tracking store cannot be used.
    """

    def read(self) -> Mapping[str, Claim]:
        """All claims, by their tokens."""

    def put(self, claim: Claim) -> None:
        """Write a claim, in place of an earlier one with the same token."""

    def remove(self, token: str) -> None:
        """Remove a claim. Do nothing if it is gone."""


def claims_in(tags: Mapping[str, str]) -> dict[str, Claim]:
    """The claims in the tags of an experiment, by their tokens. What is no claim is left out."""
    claims = {}
    for name, text in tags.items():
        if name.startswith(CLAIM_TAG):
            token = name.removeprefix(CLAIM_TAG)
            claim = _claim(token, text)
            if claim is not None:
                claims[token] = claim
    return claims


def _claim(token: str, text: str) -> Claim | None:
    try:
        values = json.loads(text)
        return Claim(
            token,
            values["holds"] is True,
            int(values["count"]),
            int(values["since_ms"]),
            int(values["renewed_ms"]),
            str(values["host"]),
            int(values["process"]),
            str(values["store"]),
        )
    except (ValueError, TypeError, KeyError):
        # A claim that was given up has the empty text, where MLflow could not remove it.
        return None
