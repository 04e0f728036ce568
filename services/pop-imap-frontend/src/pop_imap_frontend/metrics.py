"""What the front end counts for both protocols; no address or domain is a label."""

from prometheus_client import Counter

BYTES = Counter("postrider_frontend_bytes_total", "Bytes of mail sessions, in and out", ["listener", "direction"])


def count_bytes(listener: str, received: int, sent: int) -> None:
    """Add an ended session's traffic."""
    BYTES.labels(listener, "in").inc(received)
    BYTES.labels(listener, "out").inc(sent)
