"""Messages of IMAP: FETCH, STORE, COPY, MOVE, EXPUNGE, APPEND, SEARCH."""

from typing import Annotated, Any, Literal
from uuid import UUID

from mailkit.wire import Wire, at_most
from mailstore_client.wire.common import MOST_COLUMNS, MOST_FIELDS, MOST_FLAGS, MOST_RANGES, MOST_SECTIONS, VERSION

#: UID sets as inclusive ranges, ascending: [[1, 5], [9, 9]].
Ranges = Annotated[list[tuple[int, int]], at_most(MOST_RANGES)]


class Section(Wire):
    """BODY[part.text]<offset.count>. `part` "" for the message; `text` one of "", HEADER, HEADER.FIELDS,
    HEADER.FIELDS.NOT, TEXT, MIME. `count` -1: to the end."""

    part: str = ""
    text: str = ""
    fields: Annotated[list[str], at_most(MOST_FIELDS)] = []
    offset: int = 0
    count: int = -1


#: Columns rendered at filing (decision 7), as IMAP sends them: ENVELOPE, BODY, BODYSTRUCTURE (bytes) and, as numbers,
#: RFC822.SIZE and INTERNALDATE (seconds since the epoch, int).
Column = Literal["ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE"]


#: The largest piece of a value, and the largest section sent whole where `FetchQuestion.pieces` is set (octets).
PIECE = 64 * 1024


class FetchQuestion(Wire):
    """Rows for the uids of `ranges` that exist, ascending; each row is [uid, *columns, *sections].

    The answer is a stream of frames, each a list of 1 to 1,000 rows and about 1 MB at most (one row may be larger).
    A section that does not exist is null. Nothing is marked seen here.

    With `pieces` a section over PIECE octets stands in its row as its number of octets (an int). Such a row is the last
    of its frame; the octets follow, the row's sections in order, in frames that are MessagePack `bin` of PIECE octets
    at most, so neither side holds the whole value.

    Answers `limit` (429) when this mailbox has too many expensive commands under way.
    """

    mailbox_id: UUID
    folder_id: int
    ranges: Ranges
    columns: Annotated[list[Column], at_most(MOST_COLUMNS)] = []
    sections: Annotated[list[Section], at_most(MOST_SECTIONS)] = []
    version: int = VERSION
    pieces: bool = False
    proof: bytes = b""


class StoreQuestion(Wire):
    """STORE: `mode` replaces, adds or removes `flags` (names, keywords included) on the uids of `ranges`."""

    mailbox_id: UUID
    folder_id: int
    ranges: Ranges
    mode: Literal["replace", "add", "remove"]
    flags: Annotated[list[str], at_most(MOST_FLAGS)]
    operation_id: UUID
    version: int = VERSION
    proof: bytes = b""


class Stored(Wire):
    """The uids touched with their masks afterwards (unchanged ones too), and the folder's keywords.

    status `limit`: too many keywords; `gone`: the folder was deleted."""

    status: Literal["ok", "limit", "gone"]
    highest_modseq: int = 0
    uids: bytes = b""
    flags: bytes = b""
    keywords: list[str] = []


class CopyQuestion(Wire):
    """COPY or, with `move`, MOVE (RFC 6851) to folder `target`. The limit is the login's (decision 5)."""

    mailbox_id: UUID
    folder_id: int
    ranges: Ranges
    target: str
    move: bool
    quota_limit: int
    limit_version: int
    operation_id: UUID
    version: int = VERSION
    proof: bytes = b""


class Copied(Wire):
    """UIDPLUS's COPYUID: `uids` copied (ascending) and, in the same order, their `new_uids`."""

    status: Literal["ok", "trycreate", "overquota", "gone", "no_space"]
    uidvalidity: int = 0
    uids: bytes = b""
    new_uids: bytes = b""
    highest_modseq: int = 0


class ExpungeQuestion(Wire):
    """Remove the messages with \\Deleted, all of them or only those in `ranges` (UID EXPUNGE)."""

    mailbox_id: UUID
    folder_id: int
    operation_id: UUID
    ranges: Ranges | None = None
    version: int = VERSION
    proof: bytes = b""


class Expunged(Wire):
    status: Literal["ok", "gone"]
    uids: bytes = b""
    highest_modseq: int = 0


class Append(Wire):
    """The head of an APPEND; the message's bytes follow in the same request. `internal_date` None: now."""

    mailbox_id: UUID
    name: str
    flags: Annotated[list[str], at_most(MOST_FLAGS)]
    internal_date: float | None
    quota_limit: int
    limit_version: int
    operation_id: UUID
    version: int = VERSION
    proof: bytes = b""


class Appended(Wire):
    status: Literal["ok", "trycreate", "overquota", "limit", "no_space"]
    uidvalidity: int = 0
    uid: int = 0


class SearchQuestion(Wire):
    """`program` is a tree in prefix form; every node is a list whose head is an RFC 3501 search key in capitals:

    ["AND", n…] ["OR", a, b] ["NOT", n] ["ALL"] ["UID", [[lo, hi], …]] (sequence sets are turned into UIDs first)
    ["FLAG", "\\Seen" or keyword] ["RECENT", recent_from] ["BEFORE"|"ON"|"SINCE"|"SENTBEFORE"|"SENTON"|"SENTSINCE",
    "2026-11-23"] ["LARGER"|"SMALLER", n] ["FROM"|"TO"|"CC"|"BCC"|"SUBJECT"|"BODY"|"TEXT", s] ["HEADER", name, s]

    The UID ranges of all nodes together are at most MOST_RANGES. Answers `limit` (429) for a program with too many keys that read bodies, for a search that takes too long, and when
    this mailbox has too many expensive commands under way.
    """

    mailbox_id: UUID
    folder_id: int
    program: list[Any]
    version: int = VERSION
    proof: bytes = b""


class Found(Wire):
    status: Literal["ok", "gone"]
    uids: bytes = b""
