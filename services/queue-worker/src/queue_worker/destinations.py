"""Which remote domain is served next, and by how many conversations at once (decision 6)."""

from collections.abc import Iterable
from itertools import islice

#: Messages a conversation is given when there are enough slots for all.
CONVERSATION = 10
#: Domains whose cap is lowered are remembered up to this number.
REMEMBERED = 10_000


class Destinations:
    """Domains with due mail in the order they asked, and the conversations under way with each.

    A domain's cap halves when a conversation reached no host of it, down to one, and grows by one with each that did:
    a domain that is away costs one connection at a time, not twenty.
    """

    def __init__(self, per_domain: int) -> None:
        self._most = per_domain
        self._caps: dict[str, int] = {}
        self._running: dict[str, int] = {}
        self._ready: dict[str, None] = {}

    @property
    def conversations(self) -> int:
        """All under way."""
        return sum(self._running.values())

    def ready(self, domains: Iterable[str]) -> None:
        """These have something due."""
        for domain in domains:
            self._ready.setdefault(domain)

    def free(self, domain: str) -> int:
        """Conversations that may be begun with `domain` now."""
        return max(0, self._caps.get(domain, self._most) - self._running.get(domain, 0))

    def take(self, most: int) -> list[str]:
        """Up to `most` domains that have something due and a free slot, in turn; the others stay ready.

        Who is taken is not ready any more, unless `ready` is said again (there was more, or something new came).
        """
        taken = list(islice((domain for domain in self._ready if self.free(domain)), most))
        for domain in taken:
            del self._ready[domain]
        return taken

    def begin(self, domain: str) -> None:
        self._running[domain] = self._running.get(domain, 0) + 1

    def end(self, domain: str, reached: bool) -> None:
        """A conversation is over; `reached`: a host of the domain answered."""
        self._running[domain] -= 1
        if not self._running[domain]:
            del self._running[domain]
        cap = self._caps.pop(domain, self._most)
        cap = min(cap + 1, self._most) if reached else max(cap // 2, 1)
        if cap < self._most:
            self._caps[domain] = cap
            if len(self._caps) > REMEMBERED:
                del self._caps[next(iter(self._caps))]


def split(count: int, free: int) -> int:
    """How many of `count` messages one conversation gets when `free` may be begun."""
    return max(CONVERSATION, -(-count // max(free, 1)))
