"""State shared by all SMTP sessions of the process."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache

from auth_client.wire import Login, LoginAnswer
from mailkit.address import Networks, client_host
from mailkit.batch import Batcher
from mailkit.levels import Levels
from mailkit.tarpit import Tarpit
from smtp_gateway.accept import Acceptor
from smtp_gateway.budget import BodyBudget
from smtp_gateway.checks.recipient import RecipientCheck
from smtp_gateway.checks.sender import SenderCheck
from smtp_gateway.conduct import NETWORK_PER_SECOND, Allowance, Conduct
from smtp_gateway.config import GatewaySettings
from smtp_gateway.sessions import Sessions


@dataclass
class Context:
    """The checks, the acceptor, logins, TLS, limits, and the open sessions."""

    settings: GatewaySettings
    senders: SenderCheck
    recipients: RecipientCheck
    acceptor: Acceptor
    logins: Batcher[Login, LoginAnswer]
    bodies: BodyBudget
    tls: Callable[[str], ssl.SSLContext] | None
    sessions: Sessions = field(default_factory=Sessions)
    crowded: Callable[[], bool] = lambda: False
    """True while most of the allowed connections are open."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    tarpit: Tarpit = field(default_factory=lambda: Tarpit(500, 20))
    """Delays replies to logins after wrong passwords."""

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
        """Return the error counters of a new connection from `address`."""
        return Conduct(self._allowance, self._networks, address, self._exempt, self.crowded)

    def may_send(self, address: str | None) -> bool:
        """Count a message of a client without a right to relay; False if it exceeds the limit per minute."""
        most = self.settings.messages_per_minute
        if not most or address is None or self._exempt(address):
            return True
        client = client_host(address)
        if self._messages.level(client) + 1 > most:
            return False
        self._messages.add(client)
        return True
