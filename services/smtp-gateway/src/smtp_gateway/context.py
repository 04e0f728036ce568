"""What all SMTP sessions of the process share."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from auth_client.wire import Login, LoginAnswer
from mailkit.address import Networks, client_host
from mailkit.batch import Batcher
from mailkit.levels import Levels
from mailkit.tarpit import Tarpit
from smtp_gateway import metrics
from smtp_gateway.accept import Acceptor
from smtp_gateway.checks.recipient import RecipientCheck
from smtp_gateway.checks.sender import SenderCheck
from smtp_gateway.conduct import NETWORK_PER_SECOND, Allowance, Conduct
from smtp_gateway.config import GatewaySettings

if TYPE_CHECKING:
    from smtp_gateway.connection import Connection


class BodyBudget:
    """Bodies in memory, in all: bounded (decision 3)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def take(self, count: int) -> bool:
        """Count `count` in; False when that is too much, and nothing is counted."""
        if self.bytes + count > self._most:
            return False
        self.bytes += count
        metrics.HELD.set(self.bytes)
        return True

    def give_back(self, count: int) -> None:
        self.bytes -= count
        metrics.HELD.set(self.bytes)


@dataclass
class Context:
    """Checks, the acceptor, logins, TLS, limits, and the sessions that are open."""

    settings: GatewaySettings
    senders: SenderCheck
    recipients: RecipientCheck
    acceptor: Acceptor
    logins: Batcher[Login, LoginAnswer]
    bodies: BodyBudget
    tls: Callable[[str], ssl.SSLContext] | None
    sessions: "set[Connection]" = field(default_factory=set)
    draining: bool = False
    crowded: Callable[[], bool] = lambda: False
    """True while most connections that may be open are."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    tarpit: Tarpit = field(default_factory=lambda: Tarpit(500, 20))
    """Where answers to logins wait."""

    def __post_init__(self) -> None:
        told = self.settings
        exempt = Networks(told.limit_exempt_networks)
        self._exempt = lru_cache(maxsize=4096)(lambda address: bool(exempt) and address in exempt)
        self._allowance = Allowance(
            told.smtp_junk_commands, told.smtp_soft_errors, told.smtp_hard_errors, told.smtp_error_seconds
        )
        self._networks = Levels(NETWORK_PER_SECOND, clock=self.clock)
        self._messages = Levels(told.messages_per_minute / 60, clock=self.clock)

    def conduct(self, address: str | None) -> Conduct:
        """The counters of a new connection from `address`."""
        return Conduct(self._allowance, self._networks, address, self._exempt, self.crowded)

    def may_send(self, address: str | None) -> bool:
        """Count a message of a client without a right to relay; False when it is one too many for this minute."""
        most = self.settings.messages_per_minute
        if not most or address is None or self._exempt(address):
            return True
        client = client_host(address)
        if self._messages.level(client) + 1 > most:
            return False
        self._messages.add(client)
        return True

    async def relieve(self) -> None:
        """While most connections are taken, end those whose client is silent (Postfix's stress-adaptive behaviour)."""
        metrics.CROWDED.set(self.crowded())
        if self.crowded():
            before = asyncio.get_running_loop().time() - self.settings.smtp_crowded_seconds
            for session in list(self.sessions):
                session.end_silence(before)

    def drain(self) -> None:
        """421 between transactions from now on (decision 13); sessions that wait for a command hear it at once."""
        self.draining = True
        for session in list(self.sessions):
            session.drain()
