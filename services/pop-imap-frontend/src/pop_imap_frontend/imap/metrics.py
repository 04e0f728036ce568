"""Metrics of IMAP; no address or domain is a label."""

from prometheus_client import Counter, Gauge

from pop_imap_frontend.metrics import CommandMetrics

COMMANDS = Counter(
    "postrider_frontend_imap_commands_total", "IMAP commands by name and answer: OK, NO, BAD", ["command", "answer"]
)
SESSIONS = Gauge("postrider_frontend_imap_sessions_open", "Open IMAP connections")
IDLING = Gauge("postrider_frontend_imap_idle_open", "IMAP connections in IDLE")

command = CommandMetrics("imap", COMMANDS)
