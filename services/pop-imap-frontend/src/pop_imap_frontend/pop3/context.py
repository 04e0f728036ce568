"""What all POP3 sessions of the process share, and how a command is refused."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailstore_client.client import MailstoreClient
from pop_imap_frontend.logins import Logins
from pop_imap_frontend.pop3.leases import Leases

if TYPE_CHECKING:
    from pop_imap_frontend.pop3.session import Pop3Session


class Refused(Exception):
    """The command is answered with this -ERR line; `ends`: and the connection is closed."""

    def __init__(self, line: str, *, ends: bool = False) -> None:
        super().__init__(line)
        self.ends = ends


class Away(Refused):
    """Refused because another service does not answer."""


@dataclass(frozen=True)
class Pop3Context:
    """What all POP3 sessions of the process share."""

    mailstore: MailstoreClient
    log_in: Logins
    leases: Leases
    tls: Callable[[str], ssl.SSLContext] | None
    plaintext_logins: bool
    idle_seconds: float
    login_delay: int
    name: str
    watch: Callable[["Pop3Session"], Callable[[], None]]
