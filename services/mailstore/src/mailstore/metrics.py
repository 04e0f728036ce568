"""What mailstore counts; no address or domain is a label."""

from prometheus_client import Counter, Gauge, Histogram

FILED = Counter("postrider_mailstore_filed_total", "Deliveries by answer", ["answer"])
BATCH = Histogram(
    "postrider_mailstore_batch_messages", "Deliveries per transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 200)
)
ROWS = Counter("postrider_mailstore_fetched_rows_total", "Rows streamed to front ends")
FEEDS = Gauge("postrider_mailstore_feeds_open", "Front ends that listen to the change feed")
NEWS = Counter("postrider_mailstore_news_total", "Announcements of changed mailboxes")
