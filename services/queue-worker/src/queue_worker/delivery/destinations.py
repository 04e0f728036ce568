"""Limits of concurrent conversations by remote domain, and which domains answered lately (decisions 6 and 0021)."""

from typing import TypeVar

V = TypeVar("V")

#: Messages of one conversation when there are enough slots for all.
CONVERSATION = 10
#: Concurrent conversations with a domain that did not answer lately.
FIRST = 5
#: Most domains remembered for a lowered cap, and as many for their last answer.
REMEMBERED = 10_000
#: Seconds for which a destination that answered is expected to answer again.
LATELY = 600.0


class Destinations:
    """The conversations under way with each domain.

    A domain's cap halves when a conversation reached no host of it, down to one, and grows by one with each that did:
    an unreachable domain costs one connection at a time, not twenty. One that did not answer lately has at most FIRST.
    Time is an argument, in seconds of one monotonic clock.
    """

    def __init__(self, per_domain: int) -> None:
        self._most = per_domain
        self._caps: dict[str, int] = {}
        self._running: dict[str, int] = {}
        self._answered: dict[str, float] = {}

    def free(self, domain: str, now: float) -> int:
        """Return how many conversations with `domain` may begin now."""
        cap = self._caps.get(domain, self._most)
        if not self.answered_lately(domain, now):
            cap = min(cap, FIRST)
        return max(0, cap - self._running.get(domain, 0))

    def answered_lately(self, domain: str, now: float) -> bool:
        """Return whether a host of `domain` answered within the last LATELY seconds."""
        return now - self._answered.get(domain, -LATELY) < LATELY

    def answered(self, domain: str, now: float) -> None:
        """Note that a host of `domain` answered now."""
        _remember(self._answered, domain, now)

    def begin(self, domain: str) -> None:
        """Count a conversation that begins."""
        self._running[domain] = self._running.get(domain, 0) + 1

    def end(self, domain: str, reached: bool | None) -> None:
        """Count a conversation that ended. `reached`: whether a host of the domain answered; None if none was tried."""
        self._running[domain] -= 1
        if not self._running[domain]:
            del self._running[domain]
        if reached is None:
            return
        cap = self._caps.pop(domain, self._most)
        cap = min(cap + 1, self._most) if reached else max(cap // 2, 1)
        if cap < self._most:
            _remember(self._caps, domain, cap)


def _remember(known: dict[str, V], domain: str, value: V) -> None:
    """Store `value`, and keep the latest REMEMBERED domains."""
    known.pop(domain, None)
    known[domain] = value
    if len(known) > REMEMBERED:
        del known[next(iter(known))]


def split(count: int, free: int) -> int:
    """Return how many of `count` messages each conversation gets when `free` conversations may begin."""
    return max(CONVERSATION, -(-count // max(free, 1)))
