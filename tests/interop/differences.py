"""The table of docs/dovecot.md: the messages of which something is answered otherwise than by Dovecot."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "dovecot.md"
_ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.M)


class Row(NamedTuple):
    """One message and the FETCH items of it that differ."""

    message: bytes
    items: frozenset[bytes]
    reason: str


def listed() -> list[Row]:
    """Return the rows of the table by message."""
    return [
        Row(
            written.encode("latin-1").decode("unicode_escape").encode("latin-1"),
            frozenset(re.findall(rb"[A-Z][A-Z.]*(?:\[[^]]*\])?", items.encode())),
            reason,
        )
        for written, items, reason in _ROW.findall(PAGE.read_text())
    ]


def rules() -> set[str]:
    """Return the names of the rules, which hold for any message."""
    return set(re.findall(r"^\| \*\*([^*]+)\*\* \|", PAGE.read_text(), re.M))
