"""Division of a bounded resource among flows: no flow may hold more than it leaves free (docs/decisions/0036).

A flow is what one account, or one client without an account, sends. The rule is the dynamic threshold of shared-memory
switches (Choudhury and Hahne, 1998): `n` flows that want everything get one part in `n + 1` each, and the last part is
free for the next flow. It needs no list of waiting flows.
"""

from functools import lru_cache
from uuid import UUID, uuid5

from mailkit.address import client_host

#: The flow of messages that no client sent: our own bounces, and rows from before flows were distinguished.
NO_FLOW = UUID(int=0)
#: Clients and senders whose flow is cached, since its hash costs more than the rest of a row.
REMEMBERED = 4096
_client = lru_cache(maxsize=REMEMBERED)(client_host)


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


def flow_of(account: UUID | None, client_address: str | None, mail_from: str) -> UUID:
    """Return the flow of a message: its account, else its client's network (an IPv6 /64), else its sender."""
    if account is not None:
        return account
    if client_address:
        return _named_flow(_client(client_address))
    return _named_flow(mail_from.lower()) if mail_from else NO_FLOW


@lru_cache(maxsize=REMEMBERED)
def _named_flow(name: str) -> UUID:
    return uuid5(NO_FLOW, name)
