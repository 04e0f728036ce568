"""What the decisions on commands know of a client: of a session, or of a simulated one (docs/decisions/0085)."""

from typing import Protocol

from auth_api.wire import LoginAnswer
from mailkit.net.listener import Peer
from smtp_gateway.policy.consulted import Note
from smtp_gateway.smtp.chunks import Chunks
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.transaction import Transaction


class Client(Protocol):
    """A client and its transaction."""

    peer: Peer
    context: SmtpContext
    tls: bool
    login: LoginAnswer | None
    helo: str
    extended: bool
    transaction: Transaction
    chunks: Chunks | None

    @property
    def consulted(self) -> Note:
        """What is called with each rule that a decision looks at."""


def may_log_in(client: Client) -> bool:
    """Return True if AUTH is available: under TLS, or without it if the operator allows that."""
    return client.tls or client.context.settings.smtp_plaintext_auth
