"""The days of INTERNALDATE of a folder's messages, which never change, for SEARCH (RFC 3501 6.4.4; docs/decisions/0068)."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date
from sys import getsizeof

_EPOCH = date(1970, 1, 1).toordinal()
#: No day of a message; the day of one that is not known.
_UNKNOWN = -(2**31)
_EVER, _NEVER = _UNKNOWN + 1, 2**31


def days_of(key: str, day: str) -> tuple[int, int]:
    """Return the days that BEFORE, ON or SINCE `day` (2026-11-23) finds: the first one, and the one after the last."""
    number = date.fromisoformat(day).toordinal() - _EPOCH
    return {"BEFORE": (_EVER, number), "ON": (number, number + 1), "SINCE": (number, _NEVER)}[key]


class FolderDays:
    """Days since 1970-01-01 of the messages up to a UID. Messages may be added, none is removed."""

    def __init__(self) -> None:
        self._uids, self._days = array("I"), array("i")
        self.last_uid = 0
        """All messages up to this UID are here, but for those that were expunged before."""

    def __len__(self) -> int:
        return len(self._uids)

    def octets(self) -> int:
        """Return about how much memory this takes."""
        return getsizeof(self._uids) + getsizeof(self._days)

    def add(self, uids: bytes, days: bytes, last_uid: int) -> None:
        """Add all the messages above `last_uid` up to the new one, with the arrays of mailstore's answer."""
        self._uids.frombytes(uids)
        self._days.frombytes(days)
        self.last_uid = max(last_uid, self._uids[-1] if self._uids else 0)

    def select(self, uids: "range | array[int]", first: int, end: int) -> bytes:
        """Return an octet for each of ascending `uids`: 1 if its day is known and from `first` to before `end`, else 0."""
        days = self._of(uids)
        low, high = min(days), max(days)
        if first <= low and high < end:
            return b"\1" * len(uids)
        if high < first or low >= end:
            return bytes(len(uids))
        return bytes([first <= day < end for day in days])

    def _of(self, uids: "range | array[int]") -> Sequence[int]:
        here = slice(bisect_left(self._uids, uids[0]), bisect_right(self._uids, uids[-1]))
        days = self._days[here]
        if len(days) == len(uids) and (isinstance(uids, range) or self._uids[here] == uids):
            return days
        by_uid = dict(zip(self._uids[here], days, strict=True))
        return [by_uid.get(uid, _UNKNOWN) for uid in uids]
