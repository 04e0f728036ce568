"""Metrics of IMAP; no address or domain is a label."""

from prometheus_client import Counter, Gauge

from pop_imap_frontend.metrics import CommandMetrics

COMMANDS = Counter(
    "postrider_frontend_imap_commands_total", "IMAP commands by name and answer: OK, NO, BAD", ["command", "answer"]
)
SESSIONS = Gauge("postrider_frontend_imap_sessions_open", "Open IMAP connections")
FOLDER_BYTES = Gauge(
    "postrider_frontend_imap_folder_bytes", "Memory of the folders kept for later sessions, in octets, as estimated"
)
IDLING = Gauge("postrider_frontend_imap_idle_open", "IMAP connections in IDLE")

command = CommandMetrics("imap", COMMANDS)
