"""State shared by the POP3 sessions of this process, and the errors that refuse a command."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstore_client.client import MailstoreClient
from pop_imap_frontend.conversation.logins import Logins
from pop_imap_frontend.pop3.leases import Leases

if TYPE_CHECKING:
    from pop_imap_frontend.pop3.session import Pop3Session


class Refused(Exception):
    """The command is answered with this -ERR line; with `ends` the connection is then closed."""

    def __init__(self, line: str, *, ends: bool = False) -> None:
        super().__init__(line)
        self.ends = ends


class Away(Refused):
    """The command is refused because another service does not answer."""


@dataclass(frozen=True)
class Pop3Context:
    """State shared by the POP3 sessions of this process."""

    mailstore: MailstoreClient
    log_in: Logins
    leases: Leases
    tls: Callable[[str], ssl.SSLContext] | None
    plaintext_logins: bool
    idle_seconds: float
    login_delay: int
    name: str
    watch: Callable[["Pop3Session"], Callable[[], None]]
