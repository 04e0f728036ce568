"""Folders of IMAP: the hierarchy and its changes, SELECT, and what happened since."""

from typing import Literal
from uuid import UUID

from mailkit.wire import Wire
from mailstore_client.wire.common import VERSION


class MailboxQuestion(Wire):
    """`recent` False: the folders' \\Recent messages are not counted, and are 0 in the answer."""

    mailbox_id: UUID
    version: int = VERSION
    proof: bytes = b""
    recent: bool = True


class FolderInfo(Wire):
    """One folder with its STATUS numbers. `selectable` False: a level that only has children (\\Noselect).

    `exists` False: subscribed but deleted (LSUB still names it, RFC 3501 6.3.9)."""

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


class FolderList(Wire):
    folders: list[FolderInfo]
    version: int = VERSION


class FolderChange(Wire):
    """create, delete, subscribe, unsubscribe `name`; rename it to `new_name`."""

    mailbox_id: UUID
    name: str
    operation_id: UUID
    new_name: str = ""
    version: int = VERSION
    proof: bytes = b""


class FolderChanged(Wire):
    """Why not, as IMAP's response codes: NONEXISTENT, ALREADYEXISTS, CANNOT (INBOX, bad name), LIMIT, HASCHILDREN."""

    status: Literal["ok", "nonexistent", "alreadyexists", "cannot", "limit", "haschildren"]


class OpenFolder(Wire):
    """SELECT (`read_only` False: takes the \\Recent messages) or EXAMINE."""

    mailbox_id: UUID
    name: str
    read_only: bool
    version: int = VERSION
    proof: bytes = b""


class FolderSnapshot(Wire):
    """The folder at one moment: uids ascending and their flag masks. `recent_from`: uids from here on are \\Recent for
    this session. status `nonexistent`: no such folder (the rest is empty)."""

    status: Literal["ok", "nonexistent"]
    folder_id: int = 0
    uidvalidity: int = 0
    uidnext: int = 1
    highest_modseq: int = 0
    recent_from: int = 0
    uids: bytes = b""
    flags: bytes = b""
    keywords: list[str] = []


class ChangesQuestion(Wire):
    """What happened in the folder after `since` (a modseq of an earlier answer)? `take_recent`: as in OpenFolder."""

    mailbox_id: UUID
    folder_id: int
    since: int
    take_recent: bool = False
    version: int = VERSION
    proof: bytes = b""


class Changes(Wire):
    """`uids`/`flags`: messages new or changed since; `vanished`: uids expunged since. `gone`: the folder was deleted.

    `expired`: `since` is older than the tombstones kept; open the folder anew.
    """

    status: Literal["ok", "gone", "expired"]
    highest_modseq: int = 0
    uidnext: int = 1
    recent_from: int = 0
    uids: bytes = b""
    flags: bytes = b""
    vanished: bytes = b""
    keywords: list[str] = []
