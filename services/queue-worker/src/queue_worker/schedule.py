"""When next, and when to give up. Pure: time is an argument (decisions 6 and 11)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isqrt
from typing import Literal

from queue_worker.models import TOO_LONG, End, Result

#: Filing in our own mailstore is tried again after these seconds; it never counts as a remote attempt.
LOCAL_PAUSES = (1, 2, 4, 8, 16, 30)
#: Claims, and records of what came of them, begin so far apart at least: in busy times each is a list of what came
#: meanwhile, and a lone message still goes out at once (decision 0025).
TURN_SECONDS = 0.02
#: When a recipient is claimed again whose remote address had no slot for it.
POSTPONE = timedelta(seconds=2)


def next_attempt(now: datetime, first_seen: datetime, expires: datetime, retry_first: int) -> datetime:
    """When a deferred remote recipient is tried next: `first seen + (isqrt(age) + isqrt(retry first))²` seconds.

    The quadratic schedule backs off by itself and needs no counter; the last try is at `expires`.
    """
    age = max(0, int((now - first_seen).total_seconds()))
    due = first_seen + timedelta(seconds=(isqrt(age) + isqrt(retry_first)) ** 2)
    return min(max(due, now + timedelta(seconds=1)), max(expires, now + timedelta(seconds=1)))


def next_filing(now: datetime, failures: int) -> datetime:
    """When filing is tried again after its `failures`-th failure in a row (1 is the first)."""
    return now + timedelta(seconds=LOCAL_PAUSES[min(failures, len(LOCAL_PAUSES)) - 1])


def is_over(now: datetime, expires: datetime) -> bool:
    """S8: the message has been in the queue too long."""
    return now >= expires


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an attempt's end: `done` (for good, with its final text), `later` (at `due`) or `back`."""

    kind: Literal["done", "later", "back"]
    result: Result
    outcome: Literal["delivered", "failed", "expired", "deferred", "in_doubt", "returned"]
    text: str
    due: datetime

    @property
    def bounces(self) -> bool:
        """Given up, and there is a sender to tell."""
        return self.outcome in ("failed", "expired") and "@" in self.result.claim.mail_from


def decide(result: Result, now: datetime, retry_first: int) -> Decision:
    """S8, decision 6: finished, tried again, or given back as if nothing had happened."""
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
