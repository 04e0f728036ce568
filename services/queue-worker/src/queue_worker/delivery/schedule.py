"""The retry schedule: when a recipient is tried next, and when it is given up (decisions 6 and 11). Time is an argument."""

from datetime import datetime, timedelta
from math import isqrt

from queue_worker.models import TOO_LONG, Claim, Decision, Outcome, Result

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


def is_delayed(claim: Claim, now: datetime, after: timedelta) -> bool:
    """Return whether the sender of a recipient that waits on is to be notified now; `after` 0: never (docs/decisions/0074)."""
    if not after or claim.delay_noted or claim.account is None or now - claim.first_seen < after:
        return False
    return claim.wants("DELAY", default=True)


def decide(result: Result, now: datetime, retry_first: int, notice_after: timedelta = timedelta(0)) -> Decision:
    """Decide whether a recipient is finished, tried again, or given back as if nothing had happened (S8, decision 6)."""
    claim, outcome = result.claim, result.outcome
    if outcome is Outcome.delivered or outcome is Outcome.failed or outcome is Outcome.returned:
        return Decision(result, outcome, result.text, now)
    if outcome is Outcome.postponed:
        return Decision(result, Outcome.returned, result.text, now + POSTPONE)
    if is_over(now, claim.expires):
        return Decision(result, Outcome.expired, result.text + TOO_LONG, now)  # every expiry ends with S9's sentence
    delayed = is_delayed(claim, now, notice_after)
    if outcome is Outcome.unfiled:
        due = min(next_filing(now, claim.tries + 1), claim.expires)
        return Decision(result, Outcome.deferred, result.text, due, delayed)
    due = next_attempt(now, claim.first_seen, claim.expires, retry_first)
    return Decision(result, outcome, result.text, due, delayed)
