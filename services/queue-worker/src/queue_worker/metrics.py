"""What queue-worker counts; no address or domain is a label."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400)

ACCEPTED = Counter("postrider_queue_accepted_total", "Messages committed at the door")
BATCH = Histogram(
    "postrider_queue_batch_messages", "Messages per transaction at the door", buckets=(1, 2, 5, 10, 20, 50, 100, 200)
)
ENDED = Counter("postrider_queue_attempts_total", "Attempts by kind (local, remote) and end", ["kind", "end"])
BOUNCED = Counter("postrider_queue_bounced_total", "Bounces queued")
BOUNCE_FAILED = Counter(
    "postrider_queue_bounce_failed_total", "Bounces that could not be delivered; they are never bounced"
)
IN_DOUBT = Counter("postrider_queue_in_doubt_total", "Attempts whose final dot went out and whose reply is unknown")
LATENCY = Histogram("postrider_queue_delivery_seconds", "From acceptance to delivery", ["kind"], buckets=_SECONDS)
DEPTH = Gauge("postrider_queue_recipients", "Recipients under way by kind and state", ["kind", "state"])
OLDEST_DUE = Gauge("postrider_queue_oldest_due_seconds", "How long the oldest due recipient has been due", ["kind"])
COLLECTED = Counter("postrider_queue_bodies_collected_total", "Bodies deleted because nothing refers to them")
