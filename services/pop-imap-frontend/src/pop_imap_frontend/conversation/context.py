"""What all sessions of one protocol share in this process."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from mailstore_api.client import MailstoreClient
from pop_imap_frontend.conversation.logins import Logins
from pop_imap_frontend.conversation.watch import Watch


@dataclass(frozen=True, kw_only=True)
class Context:
    """Clients of the other services, and the settings of one protocol."""

    mailstore: MailstoreClient
    logins: Logins
    watch: Watch
    tls: Callable[[str], ssl.SSLContext] | None
    """Returns the TLS context of a listener for STARTTLS and STLS; None without certificates."""
    plaintext_logins: bool
    idle_seconds: float
    """Autologout timer of a logged-in session."""
    name: str
    """Name of this server in the greeting."""
    old_host_tls: ssl.SSLContext | None = None
    """Verifies the old hosts to which sessions are handed; None: no session is."""
