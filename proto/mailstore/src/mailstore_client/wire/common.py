"""What the structs of all calls share: version, flags, names of folders, and the bounds of lists."""

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
