"""What all SMTP sessions of the process share."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auth_client.wire import Login, LoginAnswer
from mailkit.batch import Batcher
from smtp_gateway import metrics
from smtp_gateway.accept import Acceptor
from smtp_gateway.checks.recipient import RecipientCheck
from smtp_gateway.checks.sender import SenderCheck
from smtp_gateway.config import GatewaySettings

if TYPE_CHECKING:
    from smtp_gateway.connection import Connection


class Held:
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
    held: Held
    tls: Callable[[], ssl.SSLContext] | None
    sessions: "set[Connection]" = field(default_factory=set)
    draining: bool = False

    def drain(self) -> None:
        """421 between transactions from now on (decision 13); sessions that wait for a command hear it at once."""
        self.draining = True
        for session in list(self.sessions):
            session.drain()
