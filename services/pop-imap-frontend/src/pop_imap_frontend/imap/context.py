"""State shared by the IMAP sessions of this process."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from auth_client.wire import LoginAnswer
from mailkit.clock import Clock
from mailkit.listener import Peer
from mailkit.stream import Stream
from mailstore_client.client import MailstoreClient
from pop_imap_frontend.conversation.budget import Budget

if TYPE_CHECKING:
    from pop_imap_frontend.imap.session import ImapSession


class LogIn(Protocol):
    """Login at auth, shared with POP3 (see `logins.Logins`)."""

    async def __call__(self, protocol: str, login: str, password: str, peer: Peer) -> LoginAnswer: ...

    async def when_due(self, answer: LoginAnswer, peer: Peer, stream: Stream) -> LoginAnswer: ...


@dataclass(frozen=True)
class ImapContext:
    """State shared by the IMAP sessions of this process."""

    mailstore: MailstoreClient
    log_in: LogIn
    clock: Clock
    tls: Callable[[str], ssl.SSLContext] | None
    """Returns the TLS context of a listener for STARTTLS; None without certificates."""
    plaintext_logins: bool
    append_limit: int
    idle_seconds: float
    name: str
    watch: Callable[["ImapSession"], Callable[[], None]]
    """Registers a logged-in session with the change feed and the re-check; the returned function unregisters it."""
    commands: Budget
    """Limit of concurrent FETCH, SEARCH, COPY, MOVE and APPEND commands per mailbox."""
    literals: Budget
    """Limit of the octets of literals in memory per mailbox."""
    keepalive_seconds: float = 120.0
    """Interval of `* OK Still here` during IDLE."""
