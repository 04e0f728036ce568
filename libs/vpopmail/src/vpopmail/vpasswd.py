"""Accounts of a domain: `vpasswd`, and `vpasswd.cdb` made from it. Hashes are kept as they are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from vpopmail.cdb import records
from vpopmail.tree import Skipped, TreeFolder, Unreadable

#: Limit of accounts of a domain.
MOST_ACCOUNTS = 200_000

_NAME = re.compile(r"[a-z0-9_.+=#&'*!{}~^$?`|-]{1,64}")
_QUOTA = re.compile(r"([0-9]{1,18})([SCKMG]?)B?", re.I)
_UNITS = {"": 1, "S": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Flags(IntFlag):
    """The bits of the field pw_gid (vpopmail.h)."""

    NO_PASSWORD_CHANGE = 0x01
    NO_POP = 0x02
    NO_WEBMAIL = 0x04
    NO_IMAP = 0x08
    BOUNCE_MAIL = 0x10
    NO_RELAY = 0x20
    NO_DIALUP = 0x40
    USER_0 = 0x80
    USER_1 = 0x100
    USER_2 = 0x200
    USER_3 = 0x400
    NO_SMTP = 0x800
    DOMAIN_ADMIN = 0x1000
    OVERRIDE = 0x2000
    NO_SPAMASSASSIN = 0x4000
    DELETE_SPAM = 0x8000
    SYSTEM_ADMIN = 0x10000
    EXPERT = 0x20000
    NO_MAILDROP = 0x40000


@dataclass(frozen=True, slots=True)
class VpopmailAccount:
    """A mailbox. `hash` is empty for one that nobody can log in to. `quota` in octets and `messages`: None for no limit.

    `directory`: the path on the old host. The eighth field, which may hold an outdated password in clear, is not read.
    """

    name: str
    hash: str
    flags: Flags
    comment: str
    directory: str
    quota: int | None
    messages: int | None


def accounts(domain: TreeFolder, skipped: Skipped) -> Iterator[VpopmailAccount]:
    """Yield the accounts of `vpasswd`, then those that only `vpasswd.cdb` has."""
    seen: set[bytes] = set()
    for where, line in _both(domain, skipped):
        key = line.partition(b":")[0]
        if key in seen or (account := _account(where, line, skipped)) is None:
            continue
        if len(seen) == MOST_ACCOUNTS:
            skipped(domain.path, f"has more than {MOST_ACCOUNTS:,} accounts; the others are skipped")
            return
        seen.add(key)
        yield account


def parse_quota(text: str) -> tuple[int | None, int | None] | None:
    """Parse a quota as (octets, messages): `NOQUOTA`, `1000S`, `4C`, `10485760S,1000C`, `50M`. None if malformed."""
    octets = messages = None
    if text.upper() in ("", "NOQUOTA", "BADQUOTA"):
        return None, None
    for part in text.split(","):
        matched = _QUOTA.fullmatch(part.strip())
        if matched is None:
            return None
        number, unit = int(matched[1]), matched[2].upper()
        if unit == "C":
            messages = number or None
        else:
            octets = number * _UNITS[unit] or None
    return octets, messages


def _both(domain: TreeFolder, skipped: Skipped) -> Iterator[tuple[str, bytes]]:
    sources = [name for name in ("vpasswd", "vpasswd.cdb") if domain.has(name)]
    if not sources:
        skipped(domain.path, "has neither vpasswd nor vpasswd.cdb; accounts in a database of SQL are not read")
    for name in sources:
        path = domain.below(name)
        try:
            if name == "vpasswd.cdb":
                yield from ((path, key + b":" + value) for key, value in records(domain, name))
                continue
            for number, line in domain.lines(name):
                if line is None:
                    skipped(f"{path}:{number}", "is too long a line")
                elif line:
                    yield f"{path}:{number}", line
        except Unreadable as error:
            skipped(path, str(error))


def _account(where: str, line: bytes, skipped: Skipped) -> VpopmailAccount | None:
    fields = line.split(b":")
    if len(fields) < 7:
        skipped(where, "is cut: an account has 7 fields")
        return None
    try:
        name, hashed, flags, directory = (fields[at].decode("utf-8") for at in (0, 1, 3, 5))
    except UnicodeDecodeError:
        skipped(where, "is not UTF-8")
        return None
    if not _NAME.fullmatch(name):
        skipped(where, "is no name of an account; vpopmail's are in small letters")
        return None
    if not re.fullmatch(r"[0-9]{1,9}", flags or "0"):
        skipped(where, "has no number in its field of bits (pw_gid)")
        return None
    quota = parse_quota(fields[6].decode("ascii", "replace"))
    if quota is None:
        skipped(where, "has a malformed quota; the account is read without one")
    comment = fields[4].decode("utf-8", "replace")
    usable = "" if hashed.startswith(("!", "*")) else hashed
    return VpopmailAccount(name, usable, Flags(int(flags or "0")), comment, directory, *(quota or (None, None)))
