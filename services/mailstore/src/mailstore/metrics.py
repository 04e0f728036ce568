"""Metrics of mailstore; no address or domain is a label."""

from prometheus_client import Counter, Gauge, Histogram

from mailkit.process.metrics import from_zero

FILED = from_zero(
    Counter(
        "postrider_mailstore_filed_total",
        "Deliveries by answer: filed, already (asked again), full, gone, no_space, failed, busy (another session holds "
        "the mailbox; filed later)",
        ["answer"],
    ),
    ("filed", "already", "full", "gone", "no_space", "failed", "busy"),
)
FILED_BYTES = Counter("postrider_mailstore_filed_bytes_total", "Octets of filed deliveries")
BATCH = Histogram(
    "postrider_mailstore_batch_messages", "Deliveries per transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
FILING_SECONDS = Histogram(
    "postrider_mailstore_filing_seconds",
    "Time of a filing transaction, bodies and rendering included",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
CHANGES = from_zero(
    Counter(
        "postrider_mailstore_changed_messages_total",
        "Messages that sessions changed, by how: flags, copied, moved, expunged, appended, imported, undeleted (by an operator), purged",
        ["how"],
    ),
    ("flags", "copied", "moved", "expunged", "appended", "imported", "undeleted", "purged"),
)
OVER_LIMIT = from_zero(
    Counter(
        "postrider_mailstore_over_limit_total",
        "Refusals for want of room in a mailbox, of what: filing (each try of it), append, copy, undelete; by limit: octets (the quota), "
        "messages (MAILBOX_MESSAGES)",
        ["what", "limit"],
    ),
    ("filing", "append", "copy", "undelete"),
    ("octets", "messages"),
)
ROWS = Counter("postrider_mailstore_fetched_rows_total", "Rows streamed to front ends")
READ_BYTES = Gauge(
    "postrider_mailstore_read_bytes", "Octets of messages in memory for readers: FETCH, RETR, SEARCH in bodies"
)
READ_WAITS = from_zero(
    Counter(
        "postrider_mailstore_read_waits_total",
        "Reads that waited for octets of the replica's MAILSTORE_READ_BYTES: waited, refused (for longer than 20 s)",
        ["outcome"],
    ),
    ("waited", "refused"),
)
SIGNED = Counter("postrider_mailstore_text_indexed_total", "Messages added to the text index (TEXT_INDEX)")
LOST = Counter("postrider_mailstore_lost_bodies_total", "Messages read whose body is not there: look into the log")
FEEDS = Gauge("postrider_mailstore_feeds_open", "Front ends that listen to the change feed")
NEWS = Counter("postrider_mailstore_news_total", "Announcements of changed mailboxes")
