"""SMTP replies as values (RFC 5321 4.2, enhanced codes RFC 3463)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply: `code`, the enhanced status code or "", and one or more lines of text."""

    code: int
    status: str
    text: str

    @property
    def is_transient(self) -> bool:
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        return 500 <= self.code < 600

    def render(self) -> bytes:
        """The reply as it goes over the wire; every line of a multi-line text repeats code and status (RFC 2034 4)."""
        head = f" {self.status}" if self.status else ""
        lines = self.text.split("\n")
        last = len(lines) - 1
        return "".join(
            f"{self.code}{'-' if i < last else ' '}{head[1:] + ' ' if head else ''}{line}\r\n"
            for i, line in enumerate(lines)
        ).encode("utf-8", "replace")

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.status, self.text) if part)
