"""How many conversations a remote domain may have at once, and which domains answered lately (decisions 6 and 0021)."""

from typing import TypeVar

V = TypeVar("V")

#: Messages a conversation is given when there are enough slots for all.
CONVERSATION = 10
#: Conversations at once with a domain that did not answer lately.
FIRST = 5
#: Domains remembered, each for its lowered cap and for its last answer.
REMEMBERED = 10_000
#: A destination that answered is expected to answer again for so long, in seconds.
LATELY = 600.0


class Destinations:
    """The conversations under way with each domain.

    A domain's cap halves when a conversation reached no host of it, down to one, and grows by one with each that did:
    a domain that is away costs one connection at a time, not twenty. One that did not answer lately has few at first.
    Time is an argument, in seconds of one monotonic clock.
    """

    def __init__(self, per_domain: int) -> None:
        self._most = per_domain
        self._caps: dict[str, int] = {}
        self._running: dict[str, int] = {}
        self._answered: dict[str, float] = {}

    def free(self, domain: str, now: float) -> int:
        """Conversations that may be begun with `domain` now."""
        cap = self._caps.get(domain, self._most)
        if not self.answered_lately(domain, now):
            cap = min(cap, FIRST)
        return max(0, cap - self._running.get(domain, 0))

    def answered_lately(self, domain: str, now: float) -> bool:
        """A host of `domain` answered within the last LATELY seconds."""
        return now - self._answered.get(domain, -LATELY) < LATELY

    def answered(self, domain: str, now: float) -> None:
        """A host of `domain` answered just now."""
        _remember(self._answered, domain, now)

    def begin(self, domain: str) -> None:
        """A conversation begins."""
        self._running[domain] = self._running.get(domain, 0) + 1

    def end(self, domain: str, reached: bool | None) -> None:
        """A conversation is over; `reached`: a host of the domain answered, None: none was tried."""
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
    """The latest REMEMBERED domains."""
    known.pop(domain, None)
    known[domain] = value
    if len(known) > REMEMBERED:
        del known[next(iter(known))]


def split(count: int, free: int) -> int:
    """How many of `count` messages one conversation gets when `free` may be begun."""
    return max(CONVERSATION, -(-count // max(free, 1)))
