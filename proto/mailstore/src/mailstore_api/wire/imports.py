"""Import of a mailbox from another system, by an operator: folders, then messages in batches (docs/decisions/0105)."""

from typing import Annotated, Literal
from uuid import UUID

from mailkit.rpc.wire import Wire, at_most
from mailstore_api.wire.common import MOST_FLAGS, VERSION

#: Limits of the messages of one ImportList, and of the keys of one KnownQuestion.
MOST_IMPORTED = 500
MOST_KEYS = 10_000
#: Limit of the octets of an imported message, which may be above that for mail that arrives.
LARGEST_IMPORTED = 64 * 1024 * 1024
#: Octets of a key.
KEY = 16
#: UIDs that are kept free behind those of the old system, for what still arrives there.
UID_GAP = 100_000
#: Limit of a UIDL in octets. RFC 1939 has 70, qmail-pop3d sends up to the length of a file name.
LONGEST_UIDL = 250


class ImportFolder(Wire):
    """Make a folder that an import fills, unless it exists.

    A folder that never held a message takes `uidvalidity`, and UIDs below `uidnext` are kept for the import. 0: there is none.
    """

    mailbox_id: UUID
    name: str
    uidvalidity: int = 0
    uidnext: int = 0
    subscribe: bool = False
    version: int = VERSION


class ImportedFolder(Wire):
    """`uidvalidity` is that of the folder now. `cannot`: it may not have that name; `limit`: there are too many folders."""

    status: Literal["ok", "cannot", "limit"]
    folder_id: int = 0
    uidvalidity: int = 0


class KnownQuestion(Wire):
    """Which of `keys`, KEY octets each, were imported into the mailbox already, whatever became of the messages?"""

    mailbox_id: UUID
    keys: bytes
    version: int = VERSION


class KnownAnswer(Wire):
    """An octet for each key, 1 for those that are known."""

    known: bytes


class ImportedMessage(Wire):
    """One message of an ImportList. `key`: what later runs know it by. `uid` 0: a new one; `uidl` empty: the usual one."""

    size: int
    key: bytes
    internal_date: float
    uid: int = 0
    flags: Annotated[list[str], at_most(MOST_FLAGS)] = []
    uidl: str = ""


class ImportList(Wire):
    """Head of messages that are imported into a folder; their octets follow. Those whose key is known are passed over.

    `uid`s are taken if the folder has this `uidvalidity`. The quota is not asked: what was there comes over.
    """

    mailbox_id: UUID
    folder_id: int
    uidvalidity: int
    messages: Annotated[list[ImportedMessage], at_most(MOST_IMPORTED)]
    version: int = VERSION


class Imported(Wire):
    """`taken`: messages imported now; `renumbered`: those of them that could not keep their UID."""

    status: Literal["ok", "gone", "limit", "no_space"]
    taken: int = 0
    renumbered: int = 0
