"""A lower bound of due times, so that a look at what is due does not pass again over what has left (docs/decisions/0065).

While a long snapshot is open, Postgres keeps the index entries of all recipients that were claimed since; they lie below the
due times of those under way. Every write sets a due time no earlier than its own time, so a row below the bound was
committed more than SLACK after its time was taken, or a claim of it was rolled back; a look without bound finds it.
"""

from datetime import datetime, timedelta

from queue_worker.models import EVER

#: Longest time from the due time that a transaction writes to its commit, as a rule.
SLACK = timedelta(seconds=60)
#: Time between two looks without bound.
WHOLE = timedelta(seconds=60)
_JUST_BEFORE = timedelta(microseconds=1)


class Floor:
    """The bound of one worker's looks at the local or at the remote recipients."""

    def __init__(self) -> None:
        self._bound = EVER
        self._whole = EVER

    @property
    def bound(self) -> datetime:
        """A time before which nothing is known to be due."""
        return self._bound

    def since(self, now: datetime) -> datetime:
        """Return after which due time to look; EVER once in WHOLE, after `reset`, and after the clock was set back."""
        if not self._whole <= now < self._whole + WHOLE:
            self._whole = now
            return EVER
        return self._bound

    def reset(self) -> None:
        """Make the next look one without bound: a pause ended."""
        self._whole = EVER

    def looked(self, began: datetime, left: datetime) -> None:
        """Note a look that began at `began`. `left`: the earliest due time that it left behind; NEVER if nothing is due."""
        self._bound = min(left, began - SLACK) - _JUST_BEFORE
