"""The retry schedule: when a recipient is tried next, and when it is given up (decisions 6 and 11). Time is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isqrt
from typing import Literal

from queue_worker.models import TOO_LONG, End, Result

#: Seconds before filing in mailstore is tried again, by failures in a row. It never counts as a remote attempt.
LOCAL_PAUSES = (1, 2, 4, 8, 16, 30)
#: Least seconds between two claims, and between two records of results: under load each is a list of what arrived
#: meanwhile, and a single message still goes out at once (decision 0025).
TURN_SECONDS = 0.02
#: Delay before a recipient is claimed again when its remote address had no free slot.
POSTPONE = timedelta(seconds=2)


def next_attempt(now: datetime, first_seen: datetime, expires: datetime, retry_first: int) -> datetime:
    """Return when a deferred remote recipient is tried next: `first seen + (isqrt(age) + isqrt(retry first))²` seconds.

    The quadratic schedule backs off without a counter; the last try is at `expires`.
    """
    age = max(0, int((now - first_seen).total_seconds()))
    due = first_seen + timedelta(seconds=(isqrt(age) + isqrt(retry_first)) ** 2)
    return min(max(due, now + timedelta(seconds=1)), max(expires, now + timedelta(seconds=1)))


def next_filing(now: datetime, failures: int) -> datetime:
    """Return when filing is tried again after its `failures`-th failure in a row (1 is the first)."""
    return now + timedelta(seconds=LOCAL_PAUSES[min(failures, len(LOCAL_PAUSES)) - 1])


def is_over(now: datetime, expires: datetime) -> bool:
    """Return whether the message has been in the queue too long (S8)."""
    return now >= expires


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows an attempt: `done` (final, with its text), `later` (tried again at `due`) or `back` (given back untried)."""

    kind: Literal["done", "later", "back"]
    result: Result
    outcome: Literal["delivered", "failed", "expired", "deferred", "in_doubt", "returned"]
    text: str
    due: datetime

    @property
    def bounces(self) -> bool:
        """Whether the recipient is given up and there is a sender to notify."""
        return self.outcome in ("failed", "expired") and "@" in self.result.claim.mail_from


def decide(result: Result, now: datetime, retry_first: int) -> Decision:
    """Decide whether a recipient is finished, tried again, or given back as if nothing had happened (S8, decision 6)."""
    claim, end = result.claim, result.end
    if end is End.delivered:
        return Decision("done", result, "delivered", result.text, now)
    if end is End.failed:
        return Decision("done", result, "failed", result.text, now)
    if end in (End.returned, End.postponed):
        due = now + POSTPONE if end is End.postponed else now
        return Decision("back", result, "returned", result.text, due)
    if is_over(now, claim.expires):
        return Decision("done", result, "expired", result.text + TOO_LONG, now)  # every expiry ends with S9's sentence
    if end is End.waiting:
        return Decision("later", result, "deferred", result.text, min(next_filing(now, claim.tries + 1), claim.expires))
    due = next_attempt(now, claim.first_seen, claim.expires, retry_first)
    return Decision("later", result, "in_doubt" if end is End.in_doubt else "deferred", result.text, due)
