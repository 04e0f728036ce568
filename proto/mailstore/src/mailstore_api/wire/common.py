"""Constants shared by the structs of all calls: version, flags, folder names, limits of lists."""

VERSION = 1

ANSWERED, FLAGGED, DELETED, SEEN, DRAFT = 1, 2, 4, 8, 16
SYSTEM_FLAGS = {"\\Answered": ANSWERED, "\\Flagged": FLAGGED, "\\Deleted": DELETED, "\\Seen": SEEN, "\\Draft": DRAFT}
FIRST_KEYWORD_BIT = 8
MOST_KEYWORDS = 48

#: Limits of the items of a list, the bodies of a ReferenceList, and the leases of a RenewMaildrops, of which a front end sends
#: LEASES_AT_ONCE.
MOST_ITEMS = 1000
MOST_BODIES = 10_000
MOST_LEASES = 20_000
LEASES_AT_ONCE = 1000
#: Limit of the UID ranges in one question, for a search in all its keys together.
MOST_RANGES = 10_000
#: Limits of the columns and sections of a FETCH, the fields of a section, and the flags of a STORE or APPEND.
MOST_COLUMNS = 20
MOST_SECTIONS = 100
MOST_FIELDS = 1000
MOST_FLAGS = 1000
#: Limit of the messages of one AppendList.
MOST_APPENDED = 100

#: Limit of the mailboxes in one frame of a WatchList.
MOST_WATCHED_A_FRAME = 1000

#: Limit of the folders that one question compares.
MOST_FOLLOWED = 1000

#: Separates the levels of a folder's name, which is UTF-8 text; INBOX is in capitals.
DELIMITER = "/"
#: Limit of the sort keys of a SORT.
MOST_SORT_KEYS = 32
#: Sort keys (RFC 5256 3, RFC 5957 4).
SORT_KEYS = ("ARRIVAL", "CC", "DATE", "DISPLAYFROM", "DISPLAYTO", "FROM", "SIZE", "SUBJECT", "TO")
#: Those of them that compare numbers, of which a front end keeps an order.
ORDER_KEYS = ("ARRIVAL", "DATE", "SIZE")
