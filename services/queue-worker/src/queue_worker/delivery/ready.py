"""Pairs with due mail, in the order they are served: flows in turn, and the destinations of each flow in turn."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from queue_worker.delivery.shares import Shares
from queue_worker.models import EVER, Pair

#: Most pairs remembered; the next walk over the queue finds the others.
MOST = 20_000
#: Most pairs that one call of `take` looks at.
LOOKS = 1000


class Ready:
    """The pairs that have something due. One flow has at most half of the pairs remembered."""

    def __init__(self, most: int = MOST) -> None:
        self._flows: dict[UUID, dict[str, None]] = {}
        self._domains: dict[str, dict[UUID, None]] = {}
        self._blocked: dict[str, dict[UUID, None]] = {}
        self._since: dict[Pair, datetime] = {}
        self._known = Shares(most)

    def __len__(self) -> int:
        return self._known.total

    def add(self, pairs: Iterable[Pair], since: datetime = EVER) -> None:
        """Add pairs that have something that became due at `since` or later."""
        for flow, domain in pairs:
            known = flow in self._domains.get(domain, ()) or flow in self._blocked.get(domain, ())
            if known:
                self._since[flow, domain] = min(since, self._since[flow, domain])
            elif self._known.free(flow):
                self._known.take(flow)
                self._enter(flow, domain)
                self._since[flow, domain] = since

    def since(self, pair: Pair) -> datetime:
        """Return when the first that is due of `pair`, just taken, became due at the earliest. Once for each taken pair."""
        return self._since.pop(pair)

    def take(self, most: int, may: Callable[[UUID, str], "bool | Ready | None"], together: int = 1) -> list[Pair]:
        """Take up to `most` destinations with their pairs, flows in turn. A pair that is taken is not ready any more.

        `may` says whether a conversation may begin: True reserves it, False lets the pair wait for its next turn, None
        means that the destination has no free slot: the pair is set aside until `unblock`; to another Ready it is moved. Up to `together` pairs of a
        destination share one conversation.
        """
        taken: list[Pair] = []
        found = 0
        for _ in range(min(LOOKS, len(self))):
            if found >= most or not self._flows:
                break
            flow = next(iter(self._flows))
            domain = next(iter(self._flows[flow]))
            self._leave(flow, domain)
            if flow in self._flows:
                self._flows[flow] = self._flows.pop(flow)  # behind the others
            verdict = may(flow, domain)
            if isinstance(verdict, Ready):
                self._known.give(flow)
                verdict.add([(flow, domain)], self._since.pop((flow, domain)))
            elif verdict:
                found += 1
                others = [other for other, _ in zip(self._domains.get(domain, ()), range(together - 1), strict=False)]
                for one in (flow, *others):
                    if one != flow:
                        self._leave(one, domain)
                    self._known.give(one)
                    taken.append((one, domain))
            elif verdict is None:
                self._blocked.setdefault(domain, {})[flow] = None
            else:
                self._enter(flow, domain)
        return taken

    def take_all(self, most: int) -> list[tuple[Pair, datetime]]:
        """Take up to `most` pairs, flows in turn, each with the time of `since`."""
        taken = self.take(most, lambda flow, domain: True)
        return [(pair, self.since(pair)) for pair in taken]

    def unblock(self, domain: str, slots: int) -> None:
        """Make up to `slots` of the pairs that wait for a slot of `domain` ready again."""
        waiting = self._blocked.get(domain)
        while waiting and slots > 0:
            flow = next(iter(waiting))
            del waiting[flow]
            self._enter(flow, domain)
            slots -= 1
        if not waiting:
            self._blocked.pop(domain, None)

    def _enter(self, flow: UUID, domain: str) -> None:
        self._flows.setdefault(flow, {})[domain] = None
        self._domains.setdefault(domain, {})[flow] = None

    def _leave(self, flow: UUID, domain: str) -> None:
        del self._flows[flow][domain]
        if not self._flows[flow]:
            del self._flows[flow]
        del self._domains[domain][flow]
        if not self._domains[domain]:
            del self._domains[domain]
