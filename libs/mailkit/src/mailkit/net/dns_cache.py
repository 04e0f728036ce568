"""Answers of the DNS in memory: bounded in number and in octets, since the owners of names decide how large answers are."""

import time
from collections.abc import Callable
from typing import Any

CACHE_ENTRIES = 50_000
#: Octets of texts in answers that are kept: what addresses and names take is bounded by the number of entries.
CACHE_BYTES = 32 * 1024 * 1024

Key = tuple[str, str]
"""A name and a type."""


class AnswerStore:
    """Answers until they expire; the one written first leaves when there are too many. `clock`: monotonic seconds."""

    def __init__(
        self, entries: int = CACHE_ENTRIES, octets: int = CACHE_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._entries = entries
        self._most = octets
        self._clock = clock
        self._held: dict[Key, tuple[float, Any, int]] = {}
        #: Octets of the texts that are kept.
        self.octets = 0

    def get(self, key: Key) -> Any:
        """Return the answer; None if there is none that is valid."""
        entry = self._held.get(key)
        return entry[1] if entry is not None and entry[0] > self._clock() else None

    def keep(self, key: Key, answer: Any, seconds: float) -> None:
        """Keep an answer for `seconds`. One that is larger than all may be together is not kept."""
        self._drop(key)
        size = _size(answer)
        if not self._entries or size > self._most:
            return
        while self._held and (len(self._held) >= self._entries or self.octets + size > self._most):
            self._drop(next(iter(self._held)))
        self._held[key] = (self._clock() + seconds, answer, size)
        self.octets += size

    def _drop(self, key: Key) -> None:
        entry = self._held.pop(key, None)
        if entry is not None:
            self.octets -= entry[2]


def _size(answer: Any) -> int:
    records = getattr(answer, "records", answer)
    return sum(len(each) for each in records if isinstance(each, str | bytes)) if isinstance(records, tuple) else 0
