"""Division of a bounded resource among flows: no flow may hold more than it leaves free (docs/decisions/0036).

A flow is what one account, or one client without an account, sends. The rule is the dynamic threshold of shared-memory
switches (Choudhury and Hahne, 1998): `n` flows that want everything get one part in `n + 1` each, and the last part is
free for the next flow. It needs no list of waiting flows.
"""

from uuid import UUID


class Shares:
    """Units of a resource that flows hold, `most` units in all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[UUID, int] = {}
        self.total = 0
        """Units held by all flows."""

    def free(self, flow: UUID) -> int:
        """Return how many units `flow` may take now."""
        return max(0, self._most - self.total - self._held.get(flow, 0))

    def take(self, flow: UUID, units: int = 1) -> None:
        """Count `units` more as held by `flow`, even beyond its share."""
        self.total += units
        self._held[flow] = self._held.get(flow, 0) + units

    def give(self, flow: UUID, units: int = 1) -> None:
        """Count `units` as given back by `flow`."""
        self.total -= units
        left = self._held.get(flow, 0) - units
        if left:
            self._held[flow] = left
        else:
            self._held.pop(flow, None)
