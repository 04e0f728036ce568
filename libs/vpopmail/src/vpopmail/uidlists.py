"""UIDs by which IMAP clients know messages: `courierimapuiddb` (Courier) and `dovecot-uidlist` (Dovecot)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from vpopmail.tree import Skipped, TreeFolder, Unreadable

#: Limit of the messages of a folder.
MOST_MESSAGES = 1_000_000
LAST_UID = 2**32 - 1

_COURIER = re.compile(rb"1 ([0-9]{1,10}) ([0-9]{1,10})\s*")
_DOVECOT_1 = _COURIER
_DOVECOT_3 = re.compile(rb"3((?: [A-Z][^ ]*)*)\s*")


@dataclass(slots=True)
class UidTable:
    """What a server knew of a folder: `uids`, and UIDLs that Dovecot was told, by the names of files up to the colon."""

    uidvalidity: int = 0
    uidnext: int = 0
    uids: dict[str, int] = field(default_factory=dict)
    uidls: dict[str, str] = field(default_factory=dict)
    is_dovecot: bool = False


def read_uids(folder: TreeFolder, skipped: Skipped) -> UidTable:
    """Read the newer of the two tables; an empty one if there is none, or it is damaged."""
    names = [name for name in ("courierimapuiddb", "dovecot-uidlist") if folder.has(name)]
    found: list[tuple[float, str]] = []
    for name in names:
        try:
            with folder.opened(name) as (_, status):
                found.append((status.st_mtime, name))
        except Unreadable as error:
            skipped(folder.below(name), str(error))
    for _, name in sorted(found, reverse=True):
        try:
            return _read(folder, name, skipped)
        except Unreadable as error:
            skipped(folder.below(name), str(error))
    return UidTable()


def _read(folder: TreeFolder, name: str, skipped: Skipped) -> UidTable:
    lines = folder.lines(name)
    header = next((line for _, line in lines), None) or b""
    table = _header(header, name)
    if not 0 < table.uidvalidity <= LAST_UID or not 0 <= table.uidnext <= LAST_UID:
        raise Unreadable("has no header that names UIDVALIDITY; its UIDs are not kept")
    for number, line in lines:
        row = None if line is None else _row(line)
        if row is None:
            if line:
                skipped(f"{folder.below(name)}:{number}", "is cut, or no line of a table of UIDs")
            continue
        uid, file, uidl = row
        if len(table.uids) >= MOST_MESSAGES:
            raise Unreadable(f"has more than {MOST_MESSAGES:,} messages")
        table.uids[file] = uid
        table.uidnext = max(table.uidnext, uid + 1)
        if uidl:
            table.uidls[file] = uidl
    return table


def _header(line: bytes, name: str) -> UidTable:
    if (matched := _COURIER.fullmatch(line)) is not None:
        return UidTable(int(matched[1]), int(matched[2]), is_dovecot=name == "dovecot-uidlist")
    table = UidTable(is_dovecot=True)
    if (matched := _DOVECOT_3.fullmatch(line)) is not None:
        for key, value in _fields(matched[1]):
            if key in ("V", "N") and value.isdecimal() and len(value) <= 10:
                setattr(table, {"V": "uidvalidity", "N": "uidnext"}[key], int(value))
    return table


def _row(line: bytes) -> tuple[int, str, str] | None:
    """Parse `7 1300000000.M1P1.host` or `7 W1394 PUIDL :1300000000.M1P1.host,S=1355:2,S`: UID, name, UIDL."""
    number, space, rest = line.rstrip(b"\r").partition(b" ")
    if not space or not number.isdigit() or not 0 < int(number[:11]) < LAST_UID:
        return None
    uidl = ""
    if b" :" in rest or rest.startswith(b":"):
        fields, _, rest = rest.rpartition(b" :") if not rest.startswith(b":") else (b"", b":", rest[1:])
        uidl = dict(_fields(fields)).get("P", "")
    file = base_name(rest.decode("utf-8", "surrogateescape"))
    return (int(number), file, uidl) if file else None


def _fields(text: bytes) -> Iterator[tuple[str, str]]:
    for part in text.decode("ascii", "replace").split():
        yield part[0], part[1:]


def base_name(file: str) -> str:
    """Return the part of a file's name that stays when its flags change: up to the colon."""
    return file.partition(":")[0]
