"""Metrics of POP3; no address or domain is a label."""

from prometheus_client import Counter, Gauge

from pop_imap_frontend.metrics import CommandMetrics

COMMANDS = Counter(
    "postrider_frontend_pop3_commands_total", "POP3 commands by name and answer: ok, err", ["command", "answer"]
)
SESSIONS = Gauge("postrider_frontend_pop3_sessions_open", "Open POP3 connections")

command = CommandMetrics("pop3", COMMANDS)
