"""What travels to mailstore's doors. Fields are only added at the end, with defaults.

All doors are POST with MessagePack unless another verb stands here; callers in brackets.

  /v1/room        RoomList -> RoomAnswers                                  [gateway]
  /v1/filings     FilingList -> FilingAnswers                              [queue]
  /v1/references  ReferenceList -> ReferenceAnswers                        [queue]
  /v1/folders/list|create|delete|rename|subscribe|unsubscribe                       [frontend]
  /v1/folders/open  OpenFolder -> FolderSnapshot                           [frontend]
  /v1/folders/changes  ChangesQuestion -> Changes                          [frontend]
  /v1/messages/fetch   FetchQuestion -> a stream of frames (below)          [frontend]
  /v1/messages/store|copy|expunge|search                                   [frontend]
  PUT /v1/messages/append  framed: 4 bytes length, Append, the message      [frontend]
  /v1/maildrop/open|renew|close, /v1/maildrop/read (answer: the bytes)      [frontend]
  /v1/feed        a stream of frames both ways, without end: WatchList -> FeedNews  [frontend]

What the front end asks about a mailbox carries a `proof` of its owner's login (docs/decisions/0040); without a good one the
answer is 428.

A stream is a row of frames: 4 bytes length (big-endian), then MessagePack.

Flags are a bit mask per message: the five system flags, then one bit per keyword of the folder (bit 8 + its index in
`keywords`). UIDs in bulk are little-endian uint32 arrays, masks little-endian uint64 arrays: `array('I')`, `array('Q')`.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from mailkit.wire import Wire, at_most

VERSION = 1

ANSWERED, FLAGGED, DELETED, SEEN, DRAFT = 1, 2, 4, 8, 16
SYSTEM_FLAGS = {"\\Answered": ANSWERED, "\\Flagged": FLAGGED, "\\Deleted": DELETED, "\\Seen": SEEN, "\\Draft": DRAFT}
FIRST_KEYWORD_BIT = 8
MOST_KEYWORDS = 48

#: Items of a list; bodies that are asked about at once; leases of a front end, which renews LEASES_AT_ONCE in one question.
MOST_ITEMS = 1000
MOST_BODIES = 10_000
MOST_LEASES = 20_000
LEASES_AT_ONCE = 1000
#: Ranges of UIDs in one question, those of all keys of a search together.
MOST_RANGES = 10_000
#: Columns and sections of a FETCH, fields of a section, flags of a STORE or APPEND.
MOST_COLUMNS = 20
MOST_SECTIONS = 100
MOST_FIELDS = 1000
MOST_FLAGS = 1000

#: Mailboxes in one frame of a WatchList.
MOST_WATCHED_A_FRAME = 1000

#: A folder's name is UTF-8 text, levels separated by this; INBOX is spelled so, in capitals.
DELIMITER = "/"


# --- gateway: is there room? (quota at RCPT)


class RoomQuestion(Wire):
    mailbox_id: UUID
    size: int
    quota_limit: int
    limit_version: int


class RoomList(Wire):
    items: Annotated[list[RoomQuestion], at_most(MOST_ITEMS)]
    version: int = VERSION


class RoomAnswers(Wire):
    """`full`: no room now (452 4.2.2); `never`: larger than the whole limit (552 5.2.2); `gone`: purged (550 5.1.1)."""

    items: list[Literal["room", "full", "never", "gone"]]
    version: int = VERSION


# --- queue-worker: filing


class Filing(Wire):
    """File body `body_id` into `mailbox_id`'s INBOX. `prefix` is the recipient's own header lines (Return-Path,
    Delivered-To), CRLF-ended, in front of the body. `received_at` in seconds since the epoch (INTERNALDATE).
    `exempt`: bounces are never refused for quota."""

    queue_id: UUID
    mailbox_id: UUID
    body_id: UUID
    prefix: bytes
    received_at: float
    quota_limit: int
    limit_version: int
    exempt: bool = False


class FilingList(Wire):
    """`oldest_queue_id`: nothing older is under way, so older `filed` partitions may go (decision 3)."""

    items: Annotated[list[Filing], at_most(MOST_ITEMS)]
    oldest_queue_id: UUID | None = None
    version: int = VERSION


class FilingAnswer(Wire):
    """`filed` and `already` (a repeated hand-over) are both success. `full`: quota; defer. `gone`: the mailbox was
    purged: 5.1.1. `no_space`: disk; defer. `failed`: this item cannot be filed now; defer."""

    status: Literal["filed", "already", "full", "gone", "no_space", "failed"]


class FilingAnswers(Wire):
    items: list[FilingAnswer]
    version: int = VERSION


class ReferenceList(Wire):
    """Which of these bodies does a mailbox still refer to? (the collector of decision 4 asks)"""

    body_ids: Annotated[list[UUID], at_most(MOST_BODIES)]
    version: int = VERSION


class ReferenceAnswers(Wire):
    referenced: list[bool]
    version: int = VERSION


# --- front end: folders


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
    """IMAP's response code tells why not: NONEXISTENT, ALREADYEXISTS, CANNOT (INBOX, bad name), LIMIT, HASCHILDREN."""

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


# --- front end: messages

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


# --- front end: POP3


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


class WatchedMailbox(Wire):
    mailbox_id: UUID
    proof: bytes


class WatchList(Wire):
    """Mailboxes that the feed is to tell of from now on, each until its proof runs out; up to MOST_WATCHED_A_FRAME."""

    items: Annotated[list[WatchedMailbox], at_most(MOST_WATCHED_A_FRAME)]
    version: int = VERSION


class FeedNews(Wire):
    """Watched mailboxes in which something changed; `everything`: assume all did (decision 8). An empty one is a heartbeat.
    A mailbox that was not watched before is named at once: what changed before is not lost between the two."""

    mailbox_ids: list[UUID]
    everything: bool = False
