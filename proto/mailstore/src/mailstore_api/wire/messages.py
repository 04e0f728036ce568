"""Messages of IMAP: FETCH, STORE, COPY, MOVE, EXPUNGE, APPEND, SEARCH, SORT, THREAD."""

from typing import Annotated, Any, Literal
from uuid import UUID

from mailkit.rpc.wire import Wire, at_most
from mailstore_api.wire.common import (
    MOST_APPENDED,
    MOST_COLUMNS,
    MOST_FIELDS,
    MOST_FLAGS,
    MOST_RANGES,
    MOST_SECTIONS,
    MOST_SORT_KEYS,
    VERSION,
)

#: UID sets as inclusive ranges, ascending: [[1, 5], [9, 9]].
Ranges = Annotated[list[tuple[int, int]], at_most(MOST_RANGES)]


#: The preview of a message (RFC 8970), in UTF-8; with LAZY_PREVIEW none if it is not at hand.
PREVIEW = "PREVIEW"
LAZY_PREVIEW = "PREVIEW.LAZY"
#: A part without its transfer encoding (RFC 3516), and the size of it as digits; false if its encoding is not known.
BINARY = "BINARY"
BINARY_SIZE = "BINARY.SIZE"


class Section(Wire):
    """BODY[part.text]<offset.count>.

    `part` "" for the message; `text` one of "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME, and PREVIEW and
    LAZY_PREVIEW for the message's preview, BINARY and BINARY_SIZE for a part. `count` -1: to the end.
    """

    part: str = ""
    text: str = ""
    fields: Annotated[list[str], at_most(MOST_FIELDS)] = []
    offset: int = 0
    count: int = -1


#: Columns rendered at filing (decision 7), as IMAP sends them: ENVELOPE, BODY, BODYSTRUCTURE (bytes) and, as numbers,
#: RFC822.SIZE and INTERNALDATE (seconds since the epoch, int). SAVEDATE (RFC 8514) is like INTERNALDATE, or null for messages
#: saved before it was kept; EMAILID (RFC 8474) is text.
Column = Literal["ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE", "SAVEDATE", "EMAILID"]


#: The largest piece of a value, and the largest section sent whole if `FetchQuestion.pieces` is set (octets).
PIECE = 64 * 1024


class FetchQuestion(Wire):
    """FETCH: rows for the UIDs of `ranges` that exist, ascending; each row is [uid, *columns, *sections].

    The answer is a stream of frames, each a list of 1 to 1,000 rows and at most about 1 MB (one row may be larger).
    A section that does not exist is null. No message is marked \\Seen.

    With `pieces`, a section of more than PIECE octets is represented in its row by its size in octets (an int). Such a row
    is the last of its frame; the octets follow, in the order of the row's sections, in frames that are MessagePack `bin` of
    at most PIECE octets, so neither side holds the whole value in memory.

    Answers `limit` (429) if this mailbox has too many expensive commands running.
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
    """STORE: replace, add or remove (`mode`) `flags` (names, keywords included) on the UIDs of `ranges`."""

    mailbox_id: UUID
    folder_id: int
    ranges: Ranges
    mode: Literal["replace", "add", "remove"]
    flags: Annotated[list[str], at_most(MOST_FLAGS)]
    operation_id: UUID
    version: int = VERSION
    proof: bytes = b""


class Stored(Wire):
    """The UIDs with their new masks (unchanged ones, too), and the folder's keywords.

    Status `limit`: too many keywords; `gone`: the folder was deleted.
    """

    status: Literal["ok", "limit", "gone"]
    highest_modseq: int = 0
    uids: bytes = b""
    flags: bytes = b""
    keywords: list[str] = []


class ConditionalStore(Wire):
    """STORE of flags on those UIDs of `ranges` whose MODSEQ is at most `unchanged_since` (RFC 7162 3.1.3)."""

    mailbox_id: UUID
    folder_id: int
    ranges: Ranges
    mode: Literal["replace", "add", "remove"]
    flags: Annotated[list[str], at_most(MOST_FLAGS)]
    unchanged_since: int
    operation_id: UUID
    version: int = VERSION
    proof: bytes = b""


class ConditionallyStored(Wire):
    """As Stored, with the `modseqs` (array of uint64) of `uids`; `modified`: UIDs that had changed, which are as they were."""

    status: Literal["ok", "limit", "gone"]
    highest_modseq: int = 0
    uids: bytes = b""
    flags: bytes = b""
    keywords: list[str] = []
    modseqs: bytes = b""
    modified: bytes = b""


class CopyQuestion(Wire):
    """COPY or, with `move`, MOVE (RFC 6851) to folder `target`. The quota limit is that of the login (decision 5)."""

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
    """COPYUID (UIDPLUS): the `uids` copied, ascending, and their `new_uids` in the same order."""

    status: Literal["ok", "trycreate", "overquota", "gone", "no_space"]
    uidvalidity: int = 0
    uids: bytes = b""
    new_uids: bytes = b""
    highest_modseq: int = 0


class ExpungeQuestion(Wire):
    """EXPUNGE: remove the messages with \\Deleted, all of them or only those in `ranges` (UID EXPUNGE)."""

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
    """Head of an APPEND; the message's octets follow in the same request. `internal_date` None: now."""

    mailbox_id: UUID
    name: str
    flags: Annotated[list[str], at_most(MOST_FLAGS)]
    internal_date: float | None
    quota_limit: int
    limit_version: int
    operation_id: UUID
    version: int = VERSION
    proof: bytes = b""


class AppendedMessage(Wire):
    """One message of an AppendList: its size in octets, its flags, and its date; None: now."""

    size: int
    flags: Annotated[list[str], at_most(MOST_FLAGS)] = []
    internal_date: float | None = None


class AppendList(Wire):
    """Head of an APPEND of several messages, all or none (RFC 3502); their octets follow, one behind the other.

    `replaces`: folder id and UID of a message that is removed with it (REPLACE, RFC 8508); its octets do not count.
    """

    mailbox_id: UUID
    name: str
    messages: Annotated[list[AppendedMessage], at_most(MOST_APPENDED)]
    quota_limit: int
    limit_version: int
    operation_id: UUID
    replaces: tuple[int, int] | None = None
    version: int = VERSION
    proof: bytes = b""


class Appended(Wire):
    """APPENDUID (UIDPLUS): the UID of the message, or of the first of several, which the others follow.

    Of an AppendList that replaces a message also: `gone`, if its folder was deleted, and `expunged`, if it is no longer there.
    """

    status: Literal["ok", "trycreate", "overquota", "limit", "no_space", "gone", "expunged"]
    uidvalidity: int = 0
    uid: int = 0


class SearchQuestion(Wire):
    """SEARCH: `program` is a tree in prefix form; every node is a list whose head is an RFC 3501 search key in capitals:

    ["AND", n…] ["OR", a, b] ["NOT", n] ["ALL"] ["UID", [[lo, hi], …]] (sequence sets are translated to UIDs first)
    ["FLAG", "\\Seen" or keyword] ["MODSEQ", least] ["RECENT", recent_from] ["BEFORE"|"ON"|"SINCE"|"SENTBEFORE"|"SENTON"|"SENTSINCE",
    "2026-11-23"] ["OLDER"|"YOUNGER", seconds] ["LARGER"|"SMALLER", n] ["FROM"|"TO"|"CC"|"BCC"|"SUBJECT"|"BODY"|"TEXT", s] ["HEADER", name, s]

    ["SAVEDBEFORE"|"SAVEDON"|"SAVEDSINCE", "2026-11-23"] ["EMAILID", s]

    All nodes together have at most MOST_RANGES UID ranges. Answers `limit` (429) for a program with too many keys that
    search bodies, for a search that takes too long, and if this mailbox has too many expensive commands running.
    """

    mailbox_id: UUID
    folder_id: int
    program: list[Any]
    version: int = VERSION
    proof: bytes = b""


class Found(Wire):
    """`modseq`: the greatest MODSEQ of the messages found, if the program has a key MODSEQ; else 0."""

    status: Literal["ok", "gone"]
    uids: bytes = b""
    modseq: int = 0


class SortQuestion(Wire):
    """SORT (RFC 5256, RFC 5957): a program as in SearchQuestion, and sort keys of SORT_KEYS in their order, `-` before one for REVERSE.

    Answered by Found with the UIDs in this order, of equal messages in theirs. Limits as those of a search.
    """

    mailbox_id: UUID
    folder_id: int
    program: list[Any]
    keys: Annotated[list[str], at_most(MOST_SORT_KEYS)]
    version: int = VERSION
    proof: bytes = b""


class ThreadQuestion(Wire):
    """THREAD (RFC 5256): a program as in SearchQuestion. Answers `limit` (429) also for too many messages."""

    mailbox_id: UUID
    folder_id: int
    program: list[Any]
    algorithm: Literal["ORDEREDSUBJECT", "REFERENCES"]
    version: int = VERSION
    proof: bytes = b""


class Threads(Wire):
    """The messages found as trees, in pre-order, with the `depths` (uint32) of the `uids`.

    UID 0 is a parent that was not found; it has depth 0 and two children or more.
    """

    status: Literal["ok", "gone"]
    uids: bytes = b""
    depths: bytes = b""
