"""Counts that a worker holds until they are written to the database."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Counts(Generic[T]):
    """How often each of at most `most` different things was counted since the counts were last taken."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[T] = Counter()

    def add(self, what: T, times: int = 1) -> bool:
        """Count `what`; return False if it was left out."""
        if what not in self._held and len(self._held) >= self._most:
            return False
        self._held[what] += times
        return True

    def take(self) -> Counter[T]:
        """Return what was counted, and begin again."""
        held, self._held = self._held, Counter()
        return held

    def give_back(self, taken: Counter[T]) -> None:
        """Count `taken` once more, which could not be written."""
        for what, times in taken.items():
            self.add(what, times)
