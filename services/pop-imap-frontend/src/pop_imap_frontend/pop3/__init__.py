"""POP3 (RFC 1939) over mailstore: one snapshot at login, deletion marks in the session, one call at QUIT."""

from pop_imap_frontend.pop3.context import Pop3Context
from pop_imap_frontend.pop3.leases import Leases
from pop_imap_frontend.pop3.session import Pop3Session

__all__ = ["Leases", "Pop3Context", "Pop3Session"]
