"""Permission for conversations: each flow has its share, each domain its limit, and some are reserved."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from queue_worker.delivery.destinations import Destinations
from queue_worker.delivery.shaping import Shaping
from queue_worker.delivery.shares import Shares

#: Most concurrent conversations in all.
CONVERSATIONS = 500
#: Conversations of these that are reserved for domains that answered lately.
RESERVE = 100


@dataclass(slots=True, eq=False)
class Slot:
    """Permission for one conversation. `proven`: the domain answered lately; `operator`: whose hosts it is with, if known."""

    flow: UUID
    domain: str
    proven: bool
    operator: str | None = None
    delivered: bool = False
    """Whether something was delivered."""


class Slots:
    """The slots of one worker. Time is an argument, in seconds of one monotonic clock."""

    def __init__(self, per_domain: int, shaping: Shaping) -> None:
        self._shaping = shaping
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
        return self._count(Slot(flow, domain, proven, self._shaping.of(domain)))

    def more(self, slot: Slot, now: float) -> int:
        """Return how many conversations may begin besides the one on `slot`."""
        shaped = self._shaping.free(slot.operator, now)
        free = min(self._destinations.free(slot.domain, now), self._shares.free(slot.flow), shaped)
        return free if slot.proven else min(free, max(0, self._most_unproven - self._unproven))

    def another(self, slot: Slot) -> Slot:
        """Take one more slot like `slot`, as `more` allows."""
        return self._count(Slot(slot.flow, slot.domain, slot.proven, slot.operator))

    def admit(self, slot: Slot, hosts: Sequence[str], recipients: int, now: float) -> bool:
        """Note that `slot` is for `hosts`; False if their operator, unknown until now, allows no more (docs/decisions/0101)."""
        operator = self._shaping.learn(slot.domain, hosts)
        if operator == slot.operator:
            return True
        if not self._shaping.free(operator, now):
            return False
        self._shaping.end(slot.operator, now, delivered=False)
        self._shaping.begin(operator)
        self._shaping.spend(operator, recipients, now)
        slot.operator = operator
        return True

    def release(self, slot: Slot, reached: bool | None, now: float) -> None:
        """Give `slot` back. `reached`: whether a host of its domain answered; None if none was tried."""
        self._shaping.end(slot.operator, now, delivered=slot.delivered)
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
        self._shaping.begin(slot.operator)
        return slot
