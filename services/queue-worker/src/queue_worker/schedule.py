"""When next, and when to give up. Pure: time is an argument (decisions 6 and 11)."""

from datetime import datetime, timedelta
from math import isqrt

#: Filing in our own mailstore is tried again after these seconds; it never counts as a remote attempt.
LOCAL_PAUSES = (1, 2, 4, 8, 16, 30)


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
