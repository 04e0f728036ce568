"""What all IMAP sessions share in this process."""

from dataclasses import dataclass

from pop_imap_frontend.conversation.budget import Budget
from pop_imap_frontend.conversation.context import Context
from pop_imap_frontend.imap.folder.cache import SharedFolders


@dataclass(frozen=True, kw_only=True)
class ImapContext(Context):
    """Adds the limits and timers of IMAP."""

    append_limit: int
    """Largest message that APPEND takes (octets)."""
    folders: SharedFolders
    """Folders that sessions have selected, or had."""
    commands: Budget
    """Limit of concurrent FETCH, SEARCH, COPY, MOVE and APPEND commands per mailbox."""
    literals: Budget
    """Limit of the octets of literals in memory per mailbox."""
    unauthenticate: bool = True
    """Whether UNAUTHENTICATE is offered (RFC 8437)."""
    keepalive_seconds: float = 120.0
    """Interval of `* OK Still here` during IDLE."""
    progress_seconds: float = 10.0
    """Interval of INPROGRESS during a long command (RFC 9585)."""
    notify_seconds: float = 1.0
    """Shortest time between two comparisons of all mailboxes for one session (RFC 5465)."""
