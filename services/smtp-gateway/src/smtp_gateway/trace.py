"""Header fields that the gateway adds to a message: Received (RFC 5321 4.4), and those that a submission lacks (RFC 6409 8)."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from uuid import UUID

from mailkit.ids import new_id
from mailkit.mail.header import Header


def from_clause(helo: str, address: str | None, *, extended: bool, tls: bool, cipher: str, login: bool) -> str:
    """Return the part of Received that describes the client: its name, address, TLS and protocol (RFC 3848).

    `cipher`: the negotiated version and cipher, "" if unknown. `login`: the client authenticated by AUTH.
    """
    kind = "ESMTP" if extended else "SMTP"
    if extended:
        kind += ("S" if tls else "") + ("A" if login else "")
    literal = f"[IPv6:{address}]" if address and ":" in address else f"[{address or 'unknown'}]"
    using = f"\r\n\t(using {cipher})" if cipher else ""
    return f"from {helo} ({literal}){using} with {kind}"


def received(clause: str, host: str, submission_id: UUID, recipients: Sequence[str], now: datetime) -> str:
    """Return the Received field. Of several recipients `for` names none, so as not to disclose one to another."""
    only = recipients[0] if len(recipients) == 1 else ""
    target = f"\r\n\tfor <{only}>" if only and only.isascii() else ""
    return f"Received: {clause}\r\n\tby {host} (Postrider)\r\n\tid {submission_id.hex}{target};\r\n\t{_date(now)}\r\n"


def missing(header: Header, host: str, now: datetime) -> str:
    """Return Date and Message-ID as far as the header of a submission lacks them."""
    fields = "" if b"date" in header else f"Date: {_date(now)}\r\n"
    return fields if b"message-id" in header else f"{fields}Message-ID: <{new_id().hex}@{host}>\r\n"


@lru_cache(maxsize=8)
def _date(now: datetime) -> str:
    """Format a date (RFC 5322 3.3); cached, since it changes once per second."""
    return format_datetime(now)
