"""What all POP3 sessions share in this process."""

from dataclasses import dataclass

from pop_imap_frontend.conversation.context import Context
from pop_imap_frontend.pop3.leases import MaildropLeases


@dataclass(frozen=True, kw_only=True)
class Pop3Context(Context):
    """Adds the leases of the maildrops, and the delay between logins that CAPA announces (seconds)."""

    leases: MaildropLeases
    login_delay: int
