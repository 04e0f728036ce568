"""Structs of the calls to mailstore. Fields are only added at the end, with defaults.

All endpoints are POST with MessagePack unless another method is given; callers are in brackets.

  /v1/room        RoomList -> RoomAnswers                                  [gateway]
  /v1/filings     FilingList -> FilingAnswers                              [queue]
  /v1/references  ReferenceList -> ReferenceAnswers                        [queue]
  /v1/folders/list|create|delete|rename|subscribe|unsubscribe                       [frontend]
  /v1/folders/create-special  SpecialFolder -> FolderChanged                [frontend]
  /v1/folders/open  OpenFolder -> FolderSnapshot                           [frontend]
  /v1/folders/changes  ChangesQuestion -> Changes                          [frontend]
  /v1/folders/changed  FollowedFolders -> FoldersChanged                   [frontend]
  /v1/folders/modseqs  ModseqQuestion -> Modseqs                           [frontend]
  /v1/folders/days  DaysQuestion -> Days                                   [frontend]
  /v1/quota        QuotaQuestion -> QuotaAnswer                             [frontend]
  /v1/messages/fetch   FetchQuestion -> a stream of frames (below)          [frontend]
  /v1/messages/store|copy|expunge|search                                   [frontend]
  /v1/messages/sort    SortQuestion -> Found                                [frontend]
  /v1/messages/thread  ThreadQuestion -> Threads                            [frontend]
  /v1/messages/store-unchanged  ConditionalStore -> ConditionallyStored     [frontend]
  PUT /v1/messages/append  framed: 4 octets length, Append, the message     [frontend]
  PUT /v1/messages/append-list  framed: 4 octets length, AppendList, the messages; Appended  [frontend]
  /v1/maildrop/open|ahead|renew|close, /v1/maildrop/read (answer: the octets)       [frontend]
  /v1/feed        a stream of frames both ways, without end: WatchList -> FeedNews  [frontend]

A question of the front end about a mailbox has a `proof` of its owner's login (docs/decisions/0040); without a valid one the
answer is 428.

A stream is a sequence of frames: 4 octets length (big-endian), then MessagePack.

Flags are a bit mask per message: the five system flags, then one bit per keyword of the folder (bit 8 + its index in
`keywords`). UIDs in bulk are little-endian uint32 arrays, masks little-endian uint64 arrays: `array('I')`, `array('Q')`.
"""

from mailstore_api.wire.common import (
    ANSWERED,
    DELETED,
    DELIMITER,
    DRAFT,
    FIRST_KEYWORD_BIT,
    FLAGGED,
    LEASES_AT_ONCE,
    MOST_APPENDED,
    MOST_BODIES,
    MOST_COLUMNS,
    MOST_FIELDS,
    MOST_FLAGS,
    MOST_FOLLOWED,
    MOST_ITEMS,
    MOST_KEYWORDS,
    MOST_LEASES,
    MOST_RANGES,
    MOST_SECTIONS,
    MOST_SORT_KEYS,
    MOST_WATCHED_A_FRAME,
    SEEN,
    SORT_KEYS,
    SYSTEM_FLAGS,
    VERSION,
)
from mailstore_api.wire.feed import FeedNews, WatchedMailbox, WatchList
from mailstore_api.wire.filing import (
    Filing,
    FilingAnswer,
    FilingAnswers,
    FilingList,
    ReferenceAnswers,
    ReferenceList,
    RoomAnswers,
    RoomList,
    RoomQuestion,
)
from mailstore_api.wire.folders import (
    Changes,
    ChangesQuestion,
    Days,
    DaysQuestion,
    FolderChange,
    FolderChanged,
    FolderInfo,
    FolderList,
    FoldersChanged,
    FolderSnapshot,
    FollowedFolder,
    FollowedFolders,
    MailboxQuestion,
    ModseqQuestion,
    Modseqs,
    OpenFolder,
    SpecialFolder,
)
from mailstore_api.wire.maildrop import (
    ClosedMaildrop,
    CloseMaildrop,
    Maildrop,
    MaildropLease,
    MessagesAhead,
    OpenMaildrop,
    ReadAhead,
    ReadMaildrop,
    RenewedMaildrops,
    RenewMaildrops,
)
from mailstore_api.wire.messages import (
    BINARY,
    BINARY_SIZE,
    LAZY_PREVIEW,
    PIECE,
    PREVIEW,
    Append,
    Appended,
    AppendedMessage,
    AppendList,
    Column,
    ConditionallyStored,
    ConditionalStore,
    Copied,
    CopyQuestion,
    Expunged,
    ExpungeQuestion,
    FetchQuestion,
    Found,
    Ranges,
    SearchQuestion,
    Section,
    SortQuestion,
    Stored,
    StoreQuestion,
    ThreadQuestion,
    Threads,
)
from mailstore_api.wire.metadata import (
    LARGEST_ANNOTATION,
    LONGEST_ENTRY,
    MOST_ANNOTATION_OCTETS,
    MOST_ANNOTATIONS,
    MOST_ANNOTATIONS_A_FOLDER,
    Annotation,
    AnnotationVersion,
    ChangedMetadata,
    FoundMetadata,
    MetadataChange,
    MetadataQuestion,
    MetadataState,
    MetadataStateQuestion,
)
from mailstore_api.wire.quota import QuotaAnswer, QuotaQuestion

__all__ = [
    "ANSWERED",
    "BINARY",
    "BINARY_SIZE",
    "DELETED",
    "DELIMITER",
    "DRAFT",
    "FIRST_KEYWORD_BIT",
    "FLAGGED",
    "LARGEST_ANNOTATION",
    "LAZY_PREVIEW",
    "LEASES_AT_ONCE",
    "LONGEST_ENTRY",
    "MOST_ANNOTATIONS",
    "MOST_ANNOTATIONS_A_FOLDER",
    "MOST_ANNOTATION_OCTETS",
    "MOST_APPENDED",
    "MOST_BODIES",
    "MOST_COLUMNS",
    "MOST_FIELDS",
    "MOST_FLAGS",
    "MOST_FOLLOWED",
    "MOST_ITEMS",
    "MOST_KEYWORDS",
    "MOST_LEASES",
    "MOST_RANGES",
    "MOST_SECTIONS",
    "MOST_SORT_KEYS",
    "MOST_WATCHED_A_FRAME",
    "PIECE",
    "PREVIEW",
    "SEEN",
    "SORT_KEYS",
    "SYSTEM_FLAGS",
    "VERSION",
    "Annotation",
    "AnnotationVersion",
    "Append",
    "AppendList",
    "Appended",
    "AppendedMessage",
    "ChangedMetadata",
    "Changes",
    "ChangesQuestion",
    "CloseMaildrop",
    "ClosedMaildrop",
    "Column",
    "ConditionalStore",
    "ConditionallyStored",
    "Copied",
    "CopyQuestion",
    "Days",
    "DaysQuestion",
    "ExpungeQuestion",
    "Expunged",
    "FeedNews",
    "FetchQuestion",
    "Filing",
    "FilingAnswer",
    "FilingAnswers",
    "FilingList",
    "FolderChange",
    "FolderChanged",
    "FolderInfo",
    "FolderList",
    "FolderSnapshot",
    "FoldersChanged",
    "FollowedFolder",
    "FollowedFolders",
    "Found",
    "FoundMetadata",
    "MailboxQuestion",
    "Maildrop",
    "MaildropLease",
    "MessagesAhead",
    "MetadataChange",
    "MetadataQuestion",
    "MetadataState",
    "MetadataStateQuestion",
    "ModseqQuestion",
    "Modseqs",
    "OpenFolder",
    "OpenMaildrop",
    "QuotaAnswer",
    "QuotaQuestion",
    "Ranges",
    "ReadAhead",
    "ReadMaildrop",
    "ReferenceAnswers",
    "ReferenceList",
    "RenewMaildrops",
    "RenewedMaildrops",
    "RoomAnswers",
    "RoomList",
    "RoomQuestion",
    "SearchQuestion",
    "Section",
    "SortQuestion",
    "SpecialFolder",
    "StoreQuestion",
    "Stored",
    "ThreadQuestion",
    "Threads",
    "WatchList",
    "WatchedMailbox",
]
