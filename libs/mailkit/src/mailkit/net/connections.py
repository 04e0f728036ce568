"""Limits on open connections, in all and per client, and on the rate at which a client opens them."""

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass, field

from mailkit.mail.address import Networks, client_host
from mailkit.net.levels import Levels


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one listener.

    `per_minute`: new connections of a client, 0: no limit. `exempt`: clients without limits per client.
    """

    connections: int = 10_000
    per_address: int = 100
    exempt: Networks = field(default_factory=Networks)
    per_minute: int = 0


class Connections:
    """Open connections, counted in all and per client; shared by the listeners that share their limits.

    IPv6 clients are counted by /64, which one host owns as a whole. `clock`: in seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.open = 0
        self._by_client: Tally[str] = Tally()
        self._lately = Levels(limits.per_minute / 60, clock=clock)
        self._idle = asyncio.Event()
        self._idle.set()

    def take(self, address: str | None) -> str | None:
        """Count a new connection of `address`; if it exceeds a limit, it is not counted and the reason is returned."""
        reason = self.excess(address)
        if reason is not None:
            return reason
        if address is not None:
            client = client_host(address)
            if self.limits.per_minute:
                self._lately.add(client)
            self._by_client[client] += 1
        self.open += 1
        self._idle.clear()
        return None

    def excess(self, address: str | None) -> str | None:
        """Return the limit that a further connection of `address` would exceed; None if there is none."""
        if self.open >= self.limits.connections:
            return "too_many"
        if address is None or address in self.limits.exempt:
            return None
        client = client_host(address)
        if self._by_client[client] >= self.limits.per_address:
            return "too_many_from_one"
        if self.limits.per_minute and self._lately.level(client) + 1 > self.limits.per_minute:
            return "too_fast"
        return None

    @property
    def crowded(self) -> bool:
        """Whether at least four fifths of the connections that may be open are open."""
        return self.open * 5 >= self.limits.connections * 4

    def give_back(self, address: str | None) -> None:
        """Count the end of a connection that `take` accepted."""
        self.open -= 1
        if not self.open:
            self._idle.set()
        if address is not None:
            client = client_host(address)
            self._by_client[client] -= 1
            if self._by_client[client] <= 0:
                del self._by_client[client]

    async def idle(self) -> None:
        """Wait until no connection is open."""
        await self._idle.wait()
