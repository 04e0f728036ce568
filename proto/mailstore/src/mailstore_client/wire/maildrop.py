"""POP3: the lock of a mailbox, its snapshot, messages, and the removal at QUIT."""

from typing import Annotated, Literal
from uuid import UUID

from mailkit.wire import Wire, at_most
from mailstore_client.wire.common import MOST_LEASES, VERSION


class OpenMaildrop(Wire):
    """Take the POP3 lock of a mailbox for `session_id` (a lease of 60 s, decision 8) and a snapshot of its INBOX."""

    mailbox_id: UUID
    session_id: UUID
    version: int = VERSION
    proof: bytes = b""


class Maildrop(Wire):
    """`uids`, and `sizes` in octets in the same order; a message's UIDL is "<uidvalidity>.<uid>". A session that was closed
    before its opening arrived finds the lock `in_use`."""

    status: Literal["ok", "in_use"]
    uidvalidity: int = 0
    uids: bytes = b""
    sizes: bytes = b""
    """uint32 array"""
    folder_id: int = 0


class MaildropLease(Wire):
    mailbox_id: UUID
    session_id: UUID
    proof: bytes = b""


class RenewMaildrops(Wire):
    """Sessions of a front end, every 20 s."""

    items: Annotated[list[MaildropLease], at_most(MOST_LEASES)]
    version: int = VERSION


class RenewedMaildrops(Wire):
    """False: the lease was lost, or the item has no good proof; that session must end without deleting."""

    items: list[bool]
    version: int = VERSION


class ReadMaildrop(Wire):
    """RETR (`lines` -1) or TOP: header, blank line and `lines` lines of the body. Answer: the bytes, not stuffed, as a
    stream that is cut where they cannot be read any further.

    404 when the message is gone (an IMAP session expunged it)."""

    mailbox_id: UUID
    folder_id: int
    uid: int
    lines: int = -1
    version: int = VERSION
    proof: bytes = b""


class ReadAhead(Wire):
    """Whole messages of a maildrop that is being read from front to back: up to 100 `uids`, smallish together."""

    mailbox_id: UUID
    folder_id: int
    uids: bytes
    version: int = VERSION
    proof: bytes = b""


class MessagesAhead(Wire):
    """In the order of `uids`; None for one that is gone, lost or did not fit: ask for it alone."""

    items: list[bytes | None]
    version: int = VERSION


class CloseMaildrop(Wire):
    """QUIT: remove `uids` and free the lock in one transaction, fenced by the session; an empty list only frees it."""

    mailbox_id: UUID
    session_id: UUID
    uids: bytes = b""
    version: int = VERSION
    proof: bytes = b""


class ClosedMaildrop(Wire):
    """`lost`: the lease had run out and was taken; nothing was removed."""

    status: Literal["ok", "lost"]
    removed: int = 0
