"""Rows of readers: a whole folder by IMAP, a whole maildrop by POP3."""

import time

from tests.bench.lines import ImapLine, Pop3Line
from tests.bench.senders import Sent


def imap_rows(port: int, user: str, password: str, count: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each command, median and worst of eleven; one of each before, so that indexes are there."""
    commands = {  # and the least octets each message has in an honest answer
        "IMAP SELECT": ("SELECT INBOX", 0),
        "IMAP FETCH 1:* (FLAGS)": ("FETCH 1:* (FLAGS)", 16),
        "IMAP FETCH 1:* (ENVELOPE)": ("FETCH 1:* (ENVELOPE)", 100),
        "IMAP FETCH 1:* (BODY.PEEK[])": ("FETCH 1:* (BODY.PEEK[])", 4000),
    }
    with ImapLine(port, user, password) as client:
        found = client.exists()
        if found != count:
            raise RuntimeError(f"{found} messages instead of {count}")
        for command, least in commands.values():
            _, octets, _ = client.command(command)
            if octets < least * count:
                raise RuntimeError(f"{command}: only {octets} octets")
        return {what: client.repeated(command) for what, (command, _) in commands.items()}


def pop3_reads(port: int, user: str, password: str, count: int) -> Sent:
    """RETRs one after the other: the fastest of three sessions."""
    return max((_retrieve(port, user, password, count) for _ in range(3)), key=lambda read: read.rate)


def _retrieve(port: int, user: str, password: str, count: int) -> Sent:
    with Pop3Line(port) as client:
        client.begin(user)
        client.command(f"PASS {password}")
        answer = client.command("STAT")
        if int(answer.split()[1]) != count:
            raise RuntimeError(f"{answer!r} instead of {count} messages")
        latencies = []
        started = before = time.perf_counter()
        for number in range(1, count + 1):
            client.command(f"RETR {number}", whole=True)
            now = time.perf_counter()
            latencies.append(now - before)
            before = now
        client.command("QUIT")
    return Sent(started, before, sorted(latencies))
