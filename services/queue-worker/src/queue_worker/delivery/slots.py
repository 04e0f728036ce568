"""Permission for conversations: each flow has its share, each domain its limit, and some are reserved."""

from dataclasses import dataclass
from uuid import UUID

from queue_worker.delivery.destinations import Destinations
from queue_worker.delivery.shares import Shares

#: Most concurrent conversations in all.
CONVERSATIONS = 500
#: Conversations of these that are reserved for domains that answered lately.
RESERVE = 100


@dataclass(frozen=True, slots=True)
class Slot:
    """Permission for one conversation. `proven`: the domain answered lately."""

    flow: UUID
    domain: str
    proven: bool


class Slots:
    """The slots of one worker. Time is an argument, in seconds of one monotonic clock."""

    def __init__(self, per_domain: int) -> None:
        self._shares = Shares(CONVERSATIONS)
        self._destinations = Destinations(per_domain)
        self._unproven = 0
        self._most_unproven = CONVERSATIONS - RESERVE

    def __len__(self) -> int:
        return self._shares.total

    def free(self, domain: str, now: float) -> int:
        """Return how many conversations with `domain` its own limit allows to begin now."""
        return self._destinations.free(domain, now)

    def take(self, flow: UUID, domain: str, now: float) -> Slot | None:
        """Take a slot for `flow` with `domain`, which has one free; None if the flow's share or the reserve forbids it."""
        proven = self._destinations.answered_lately(domain, now)
        if not self._shares.free(flow) or not (proven or self._unproven < self._most_unproven):
            return None
        return self._count(Slot(flow, domain, proven))

    def more(self, slot: Slot, now: float) -> int:
        """Return how many conversations may begin besides the one on `slot`."""
        free = min(self._destinations.free(slot.domain, now), self._shares.free(slot.flow))
        return free if slot.proven else min(free, max(0, self._most_unproven - self._unproven))

    def another(self, slot: Slot) -> Slot:
        """Take one more slot like `slot`, as `more` allows."""
        return self._count(Slot(slot.flow, slot.domain, slot.proven))

    def release(self, slot: Slot, reached: bool | None) -> None:
        """Give `slot` back. `reached`: whether a host of its domain answered; None if none was tried."""
        self._shares.give(slot.flow)
        self._unproven -= not slot.proven
        self._destinations.end(slot.domain, reached)

    def answered(self, domain: str, now: float) -> None:
        """Note that a host of `domain` answered now."""
        self._destinations.answered(domain, now)

    def _count(self, slot: Slot) -> Slot:
        self._shares.take(slot.flow)
        self._unproven += not slot.proven
        self._destinations.begin(slot.domain)
        return slot
