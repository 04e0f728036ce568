"""POP3: the lock of a maildrop, its snapshot, its messages, and the removal at QUIT."""

from typing import Annotated, Literal
from uuid import UUID

from mailkit.rpc.wire import Wire, at_most
from mailstore_api.wire.common import MOST_LEASES, VERSION


class OpenMaildrop(Wire):
    """Take the POP3 lock of a mailbox for `session_id` (a lease of 60 s, decision 8) and a snapshot of its INBOX."""

    mailbox_id: UUID
    session_id: UUID
    version: int = VERSION
    proof: bytes = b""


class Maildrop(Wire):
    """`uids`, and `sizes` in octets in the same order; a message's UIDL is "<uidvalidity>.<uid>", unless `uidls` has another.

    `uidls`: lines in the same order, empty ones for messages that were not imported; no octets if none was.

    `in_use` is also the answer to a session whose close arrived before its open.
    """

    status: Literal["ok", "in_use"]
    uidvalidity: int = 0
    uids: bytes = b""
    sizes: bytes = b""
    """Array of uint32."""
    folder_id: int = 0
    uidls: bytes = b""


class MaildropLease(Wire):
    mailbox_id: UUID
    session_id: UUID
    proof: bytes = b""


class RenewMaildrops(Wire):
    """Leases of a front end's sessions, renewed every 20 s."""

    items: Annotated[list[MaildropLease], at_most(MOST_LEASES)]
    version: int = VERSION


class RenewedMaildrops(Wire):
    """Per lease; False: it was lost, or the item has no valid proof, and the session must end without deleting."""

    items: list[bool]
    version: int = VERSION


class ReadMaildrop(Wire):
    """RETR (`lines` -1) or TOP: header, blank line and `lines` lines of the body.

    Answer: the octets, not byte-stuffed, as a stream that is cut where they cannot be read any further.

    404 if the message is gone (an IMAP session expunged it).
    """

    mailbox_id: UUID
    folder_id: int
    uid: int
    lines: int = -1
    version: int = VERSION
    proof: bytes = b""


class ReadAhead(Wire):
    """Question for whole messages of a maildrop that is read in order: at most 100 `uids`, of small messages."""

    mailbox_id: UUID
    folder_id: int
    uids: bytes
    version: int = VERSION
    proof: bytes = b""


class MessagesAhead(Wire):
    """Messages in the order of `uids`; None for one that is gone, lost or beyond the size limit: read it on its own."""

    items: list[bytes | None]
    version: int = VERSION


class CloseMaildrop(Wire):
    """QUIT: remove `uids` and release the lock in one transaction, fenced by the session; without `uids`, only release it."""

    mailbox_id: UUID
    session_id: UUID
    uids: bytes = b""
    version: int = VERSION
    proof: bytes = b""


class ClosedMaildrop(Wire):
    """`lost`: the session no longer has the lease; nothing was removed."""

    status: Literal["ok", "lost"]
    removed: int = 0
