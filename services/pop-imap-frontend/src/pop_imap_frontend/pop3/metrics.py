"""What POP3 counts; no address or domain is a label."""

from prometheus_client import Counter, Gauge

COMMANDS = Counter("postrider_frontend_pop3_commands_total", "POP3 commands by name and answer", ["command", "answer"])
SESSIONS = Gauge("postrider_frontend_pop3_sessions_open", "Open POP3 connections")
LOGINS = Counter("postrider_frontend_pop3_logins_total", "POP3 logins by outcome", ["outcome"])
