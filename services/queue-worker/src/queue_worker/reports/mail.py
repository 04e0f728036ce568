"""The mail that brings a daily report, with the report as an attachment (RFC 8460 5.3, RFC 9990 3). Pure functions."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal
from uuid import UUID

from mailkit.ids import id_floor

ReportKind = Literal["tls", "dmarc"]
_NAMES: dict[ReportKind, str] = {"tls": "TLS", "dmarc": "DMARC"}


@dataclass(frozen=True, slots=True)
class DayReport:
    """Of which domain and day (UTC) a report is, and by whom."""

    kind: ReportKind
    domain: str
    day: date
    submitter: str

    @property
    def identifier(self) -> str:
        """The Report-ID: the same for the same report."""
        return f"{self._digest().hex()[:24]}@{self.submitter}"

    @property
    def begin(self) -> int:
        """The first second of the day, in seconds since 1970."""
        return int(datetime.combine(self.day, time(), UTC).timestamp())

    @property
    def end(self) -> int:
        """The last second of the day."""
        return self.begin + 86_399

    @property
    def submission_id(self) -> UUID:
        """The id of the hand-over: a time-ordered one of the end of the day, so that a repeated report is not queued twice."""
        tail = int.from_bytes(self._digest()[:9], "big") & ((1 << 74) - 1)
        low = (0x7 << 76) | ((tail >> 62) << 64) | (0x2 << 62) | (tail & ((1 << 62) - 1))
        return UUID(int=id_floor(float(self.end)).int | low)

    def _digest(self) -> bytes:
        return hashlib.sha256(f"{self.kind} {self.day} {self.domain} {self.submitter}".encode()).digest()


def mail(report: DayReport, recipients: Sequence[str], content: bytes, subtype: str, filename: str) -> EmailMessage:
    """Return the mail with `content`, which is compressed and of the type `application/<subtype>`. It has no Date yet."""
    r = report
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{r.kind}-reports@{r.submitter}"
    message["To"] = ", ".join(recipients)
    message["Subject"] = f"Report Domain: {r.domain} Submitter: {r.submitter} Report-ID: <{r.identifier}>"
    message["Message-ID"] = f"<{r.identifier}>"
    message["Auto-Submitted"] = "auto-generated"
    about = f"This is an aggregate {_NAMES[r.kind]} report of {r.submitter} about {r.domain} on {r.day}."
    message.set_content(about + "\n")
    message.add_attachment(content, maintype="application", subtype=subtype, filename=filename)
    return message
