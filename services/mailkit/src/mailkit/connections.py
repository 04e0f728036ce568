"""How many connections may be open, in all and by client, and how fast a client may open them."""

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass, field

from mailkit.address import Networks, client_host
from mailkit.levels import Levels


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of one listener. `per_minute`: new connections of a client; 0: any number. `exempt`: clients that the caps per
    client leave alone."""

    connections: int = 10_000
    per_address: int = 100
    exempt: Networks = field(default_factory=Networks)
    per_minute: int = 0


class Connections:
    """How many connections are open, in all and by client; shared by the listeners that share their caps.

    IPv6 clients are counted by their /64: one host owns all of it. `clock`: seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.open = 0
        self._by_client: Tally[str] = Tally()
        self._lately = Levels(limits.per_minute / 60, clock=clock)
        self._idle = asyncio.Event()
        self._idle.set()

    def take(self, address: str | None) -> str | None:
        """Count a connection of `address` in. Returns None, or the reason why it is one too many."""
        if self.open >= self.limits.connections:
            return "too_many"
        if address is not None:
            client = client_host(address)
            reason = self._excess(client)
            if reason is not None and address not in self.limits.exempt:
                return reason
            if self.limits.per_minute:
                self._lately.add(client)
            self._by_client[client] += 1
        self.open += 1
        self._idle.clear()
        return None

    def _excess(self, client: str) -> str | None:
        """Why a further connection of `client` is one too many."""
        if self._by_client[client] >= self.limits.per_address:
            return "too_many_from_one"
        if self.limits.per_minute and self._lately.level(client) + 1 > self.limits.per_minute:
            return "too_fast"
        return None

    @property
    def crowded(self) -> bool:
        """True when most connections that may be open are."""
        return self.open * 5 >= self.limits.connections * 4

    def give_back(self, address: str | None) -> None:
        """The connection that was taken has ended."""
        self.open -= 1
        if not self.open:
            self._idle.set()
        if address is not None:
            client = client_host(address)
            self._by_client[client] -= 1
            if self._by_client[client] <= 0:
                del self._by_client[client]

    async def idle(self) -> None:
        """Returns when no connection is open."""
        await self._idle.wait()
