"""What IMAP counts; no address or domain is a label."""

from prometheus_client import Counter, Gauge

COMMANDS = Counter("postrider_frontend_imap_commands_total", "IMAP commands by name and answer", ["command", "answer"])
SESSIONS = Gauge("postrider_frontend_imap_sessions_open", "Open IMAP connections")
IDLING = Gauge("postrider_frontend_imap_idle_open", "IMAP connections in IDLE")

_children: dict[tuple[str, bytes], Counter] = {}


def command(name: str, answer: bytes) -> None:
    """Count one command; the labelled child is kept."""
    key = (name, answer)
    child = _children.get(key)
    if child is None:
        child = _children[key] = COMMANDS.labels(name, answer.decode())
    child.inc()
