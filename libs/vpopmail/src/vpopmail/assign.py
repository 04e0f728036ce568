"""qmail's table of users: `users/assign`, or `users/cdb` made from it (qmail-users(5)); vpopmail's lines only."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vpopmail.cdb import records
from vpopmail.tree import Skipped, TreeFolder, Unreadable

#: Limit of domains and alias domains together.
MOST_DOMAINS = 200_000

_NAME = re.compile(r"(?!.*\.\.)[a-z0-9_][a-z0-9._-]{0,252}")


@dataclass(frozen=True, slots=True)
class Assigned:
    """A domain as qmail knows it: an alias domain if `real` is another name. `directory`: the path on the old host."""

    name: str
    real: str
    directory: str


def assigned(users: TreeFolder, skipped: Skipped) -> Iterator[Assigned]:
    """Yield the domains of `users/assign`, of `users/cdb` if that does not exist. Raises Unreadable."""
    seen: set[str] = set()
    source = "assign" if users.has("assign") else "cdb"
    found = _lines(users, skipped) if source == "assign" else _records(users, skipped)
    for where, each in found:
        if each.name in seen:
            skipped(where, f"repeats {each.name}; qmail obeys the first")
        elif len(seen) == MOST_DOMAINS:
            raise Unreadable(f"has more than {MOST_DOMAINS:,} domains")
        else:
            seen.add(each.name)
            yield each


def _lines(users: TreeFolder, skipped: Skipped) -> Iterator[tuple[str, Assigned]]:
    path, ended = users.below("assign"), False
    for number, line in users.lines("assign"):
        where = f"{path}:{number}"
        if line is None:
            skipped(where, "is too long a line")
        elif line == b".":
            ended = True
            break
        elif line:
            fields = line.split(b":")
            if len(fields) < 8:
                skipped(where, "is cut: a line has 8 fields")
            elif not fields[0].startswith(b"+"):
                skipped(where, "is a user of the system and no domain of vpopmail")
            else:
                yield from _domain(where, fields[0][1:], fields[1], fields[4], skipped)
    if not ended:
        skipped(path, "is cut: it does not end with a line that is a dot; the lines before were read")


def _records(users: TreeFolder, skipped: Skipped) -> Iterator[tuple[str, Assigned]]:
    path = users.below("cdb")
    for key, value in records(users, "cdb"):
        if not key:
            continue  # the characters at which qmail-lspawn ends a wildcard
        fields = value.split(b"\0")
        if len(fields) < 6:
            skipped(path, "has a record that is cut")
        elif not key.startswith(b"!") or key.endswith(b"\0"):
            skipped(path, "has a user of the system, who is no domain of vpopmail")
        else:
            yield from _domain(path, key[1:], fields[0], fields[3], skipped)


def _domain(where: str, key: bytes, real: bytes, directory: bytes, skipped: Skipped) -> Iterator[tuple[str, Assigned]]:
    try:
        names = key.removesuffix(b"-").decode("ascii").lower(), real.decode("ascii").lower()
        path = directory.decode("utf-8")
    except UnicodeDecodeError:
        skipped(where, "is not UTF-8")
        return
    if not key.endswith(b"-") or "." not in names[0]:
        skipped(where, "is a user of the system and no domain of vpopmail")
    elif not all(_NAME.fullmatch(name) for name in names):
        skipped(where, "is no domain name")
    else:
        yield where, Assigned(*names, path)
