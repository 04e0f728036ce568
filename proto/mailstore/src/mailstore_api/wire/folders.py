"""Folders of IMAP: the hierarchy and its changes, SELECT, and changes of a folder."""

from typing import Annotated, Literal
from uuid import UUID

from mailkit.rpc.wire import Wire, at_most
from mailstore_api.wire.common import MOST_FOLLOWED, VERSION
from mailstore_api.wire.messages import Ranges


class MailboxQuestion(Wire):
    """Question about one mailbox.

    `recent` False: \\Recent messages are not counted, and are 0 in the answer; `deleted` False: the same for those with \\Deleted.
    """

    mailbox_id: UUID
    version: int = VERSION
    proof: bytes = b""
    recent: bool = True
    deleted: bool = False


class FolderInfo(Wire):
    """One folder with its STATUS numbers. `selectable` False: a level that only has children (\\Noselect).

    `exists` False: subscribed but not existing (LSUB still lists it, RFC 3501 6.3.9).
    """

    name: str
    folder_id: int
    special_use: str
    subscribed: bool
    selectable: bool
    uidvalidity: int
    uidnext: int
    highest_modseq: int
    messages: int
    unseen: int
    recent: int
    size: int
    exists: bool = True
    deleted: int = 0
    """Messages with \\Deleted."""
    deleted_size: int = 0
    """Their octets."""


class FolderList(Wire):
    folders: list[FolderInfo]
    version: int = VERSION


class FolderChange(Wire):
    """Create, delete, subscribe or unsubscribe `name`, or rename it to `new_name`."""

    mailbox_id: UUID
    name: str
    operation_id: UUID
    new_name: str = ""
    version: int = VERSION
    proof: bytes = b""


class SpecialFolder(Wire):
    """Create `name` with a special use such as `\\Archive` (RFC 6154 3), which no other folder has."""

    mailbox_id: UUID
    name: str
    special_use: str
    operation_id: UUID
    version: int = VERSION
    proof: bytes = b""


class FolderChanged(Wire):
    """`ok`, or an IMAP response code: NONEXISTENT, ALREADYEXISTS, CANNOT (INBOX, bad name), LIMIT, HASCHILDREN.

    `useattr`, for a SpecialFolder only: there is no such special use, or another folder has it.
    """

    status: Literal["ok", "nonexistent", "alreadyexists", "cannot", "limit", "haschildren", "useattr"]
    folder_id: int = 0
    """Of the folder created."""


class OpenFolder(Wire):
    """SELECT (`read_only` False; claims the \\Recent messages) or EXAMINE.

    `known_folder_id` and `known_modseq`: the folder that had this name, and the MODSEQ at which the asker knows its messages; 0
    if it knows none. Mailstore may then answer with the changes since.
    """

    mailbox_id: UUID
    name: str
    read_only: bool
    version: int = VERSION
    proof: bytes = b""
    known_folder_id: int = 0
    known_modseq: int = 0


class FolderSnapshot(Wire):
    """Snapshot of a folder.

    UIDs in ascending order and their flag masks. `recent_from`: UIDs from it on are \\Recent for this session. Status
    `nonexistent`: no such folder (the other fields are empty).

    `since` not 0, only if the question had it as `known_modseq`: `uids` and `flags` are those of messages new or changed after
    it, and `vanished` the UIDs expunged after it; the folder has `messages` messages and `unseen` of them without \\Seen.
    """

    status: Literal["ok", "nonexistent"]
    folder_id: int = 0
    uidvalidity: int = 0
    uidnext: int = 1
    highest_modseq: int = 0
    recent_from: int = 0
    uids: bytes = b""
    flags: bytes = b""
    keywords: list[str] = []
    since: int = 0
    vanished: bytes = b""
    messages: int = 0
    unseen: int = 0


class ChangesQuestion(Wire):
    """Changes of a folder after `since`, a MODSEQ of an earlier answer. `take_recent`: claim the \\Recent messages."""

    mailbox_id: UUID
    folder_id: int
    since: int
    take_recent: bool = False
    version: int = VERSION
    proof: bytes = b""


class Changes(Wire):
    """`uids`, `flags` and `modseqs`: messages new or changed; `vanished`: UIDs expunged. `gone`: the folder was deleted.

    `expired`: `since` is older than the stored tombstones; open the folder anew.
    """

    status: Literal["ok", "gone", "expired"]
    highest_modseq: int = 0
    uidnext: int = 1
    recent_from: int = 0
    uids: bytes = b""
    flags: bytes = b""
    vanished: bytes = b""
    keywords: list[str] = []
    modseqs: bytes = b""
    """Array of uint64."""


class ModseqQuestion(Wire):
    """Question for the messages with a MODSEQ greater than `since`, and the expunges since then (RFC 7162).

    `ranges`: only messages with these UIDs; None: of the whole folder. `vanished` False: expunges are not asked for.
    """

    mailbox_id: UUID
    folder_id: int
    since: int
    ranges: Ranges | None = None
    vanished: bool = False
    version: int = VERSION
    proof: bytes = b""


class Modseqs(Wire):
    """`uids`, ascending, and their `modseqs`; `vanished`: UIDs expunged after `since`, also those outside of `ranges`.

    `complete` False: tombstones of expunges after `since` have been removed, so UIDs are missing in `vanished`.
    """

    status: Literal["ok", "gone"]
    highest_modseq: int = 0
    uids: bytes = b""
    modseqs: bytes = b""
    """Array of uint64."""
    vanished: bytes = b""
    complete: bool = True


class DaysQuestion(Wire):
    """Question for the INTERNALDATE of messages with UIDs above `after`; an answer has a limited number of them."""

    mailbox_id: UUID
    folder_id: int
    after: int
    version: int = VERSION
    proof: bytes = b""


class Days(Wire):
    """`uids`, ascending, and the day of each in UTC: `days`, an array of int32, since 1970-01-01. `more`: there are others."""

    status: Literal["ok", "gone"]
    uids: bytes = b""
    days: bytes = b""
    more: bool = False


class OrderQuestion(Wire):
    """Question for the messages with UIDs above `after` in the order of one of ORDER_KEYS, `-` before it for REVERSE."""

    mailbox_id: UUID
    folder_id: int
    key: str
    after: int
    version: int = VERSION
    proof: bytes = b""


class Order(Wire):
    """`uids` in order, and what is compared of each: `values`, an array of int64. `unfilled`: not known of some messages yet."""

    status: Literal["ok", "gone", "unfilled"]
    uids: bytes = b""
    values: bytes = b""


class FollowedFolder(Wire):
    """A folder that sessions of a front end have selected, all of whose changes up to a MODSEQ they know."""

    mailbox_id: UUID
    folder_id: int
    modseq: int
    proof: bytes = b""


class FollowedFolders(Wire):
    """Compare MODSEQs, since an announcement may be lost (docs/decisions/0055)."""

    items: Annotated[list[FollowedFolder], at_most(MOST_FOLLOWED)]
    version: int = VERSION


class FoldersChanged(Wire):
    """Per item: whether the folder has another MODSEQ, or is gone; False for an item without a valid proof."""

    items: list[bool]
    version: int = VERSION
