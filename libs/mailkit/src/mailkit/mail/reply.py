"""SMTP replies as values (RFC 5321 4.2, enhanced codes RFC 3463)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: `code`, the enhanced status code or "", and one or more lines of text."""

    code: int
    status: str
    text: str

    def render(self) -> bytes:
        """Return the reply as sent; every line of a multi-line text repeats code and status (RFC 2034 4)."""
        status = f"{self.status} " if self.status else ""
        if "\n" not in self.text:
            return f"{self.code} {status}{self.text}\r\n".encode("utf-8", "replace")
        *more, last = self.text.split("\n")
        lines = [f"{self.code}-{status}{line}\r\n" for line in more]
        return "".join([*lines, f"{self.code} {status}{last}\r\n"]).encode("utf-8", "replace")

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.status, self.text) if part)
