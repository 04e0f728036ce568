"""Delayed answers to logins (tarpitting), bounded so that waiting sessions leave connections free (docs/decisions/0049)."""

import asyncio
from collections import Counter as Tally
from collections.abc import Awaitable, Callable

from prometheus_client import Counter, Gauge

from mailkit.mail.address import client_network
from mailkit.process.metrics import from_zero

#: Longest delay of an answer, in seconds, whatever auth asks for.
LONGEST = 10.0

DELAYED = from_zero(
    Counter(
        "postrider_login_delayed_total",
        "Logins that auth asked to delay: answered (after the delay), ended (the client left or the service stopped), "
        "refused (too many waited)",
        ["outcome"],
    ),
    ("answered", "ended", "refused"),
)
WAITING = Gauge("postrider_login_delays_waiting_count", "Logins whose answer is being held back")


class Tarpit:
    """The delays of one process: at most `most` at once, at most `per_network` for one client network (/24, /64).

    `crowded`: returns True while most of the connections that may be open are; no answer is delayed then. `sleep`: in seconds.
    """

    def __init__(
        self,
        most: int,
        per_network: int,
        *,
        crowded: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._most = most
        self._per_network = per_network
        self._crowded = crowded
        self._sleep = sleep
        self._waiting: Tally[str] = Tally()

    async def delay(self, address: str | None, seconds: float) -> bool:
        """Wait `seconds`. Return False at once if the limit is reached: the login is to be refused temporarily.

        Cancellation ends the wait. Clients without a known address count as one network.
        """
        if seconds <= 0:
            return True
        network = "" if address is None else client_network(address)
        if self._crowded() or self._waiting.total() >= self._most or self._waiting[network] >= self._per_network:
            DELAYED.labels("refused").inc()
            return False
        self._waiting[network] += 1
        WAITING.inc()
        outcome = "ended"
        try:
            await self._sleep(min(seconds, LONGEST))
            outcome = "answered"
        finally:
            WAITING.dec()
            DELAYED.labels(outcome).inc()
            self._waiting[network] -= 1
            if not self._waiting[network]:
                del self._waiting[network]
        return True
