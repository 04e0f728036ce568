"""The record and the policy of MTA-STS as text (RFC 8461 3.1, 3.2), and whether a host's name matches."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from queue_worker.storage.sts_policies import StsPolicy

#: Most octets of a policy (RFC 8461 3.3 suggests 64 KB), and most of its patterns that are looked at.
MOST_OCTETS = 64 * 1024
MOST_PATTERNS = 200
#: Longest max_age, in seconds (RFC 8461 3.2).
LONGEST = 31_557_600

_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")


class BadPolicy(ValueError):
    """The text is no policy."""


def policy_id(records: Sequence[bytes]) -> str | None:
    """Return the id in the TXT records of `_mta-sts.<domain>`; None if not exactly one of them is of MTA-STS."""
    found = [record for record in records if record.startswith(b"v=STSv1;")]
    if len(found) != 1:
        return None
    for field in found[0].decode("ascii", "replace").split(";")[1:]:
        name, _, value = field.strip(" \t").partition("=")
        if name.strip(" \t") == "id":
            return value.strip(" \t") if _ID.fullmatch(value.strip(" \t")) else None
    return None


def parse(text: str, domain: str, identifier: str, now: datetime) -> StsPolicy:
    """Return the policy in `text`, which was fetched `now`. Raises BadPolicy. Unknown fields are ignored, and repeated ones but mx."""
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line.strip(" \t"):
            continue
        name, colon, value = (part.strip(" \t") for part in line.partition(":"))
        if not (colon and _FIELD.fullmatch(name)):
            raise BadPolicy(f"{line[:80]!r} is no field")
        if name == "mx":
            patterns.append(value.lower())
        else:
            fields.setdefault(name, value)
    if fields.get("version") != "STSv1":
        raise BadPolicy("the version is not STSv1")
    mode, age = fields.get("mode", ""), fields.get("max_age", "")
    if mode not in ("enforce", "testing", "none"):
        raise BadPolicy(f"the mode is {mode[:20]!r}")
    if not (age.isascii() and age.isdecimal() and len(age) <= 10):
        raise BadPolicy(f"max_age is {age[:20]!r}")
    if mode != "none" and not patterns:
        raise BadPolicy("it names no mx")
    if len(patterns) > MOST_PATTERNS or not all(len(each) < 256 and _NAME.fullmatch(each) for each in patterns):
        raise BadPolicy("an mx is no name, or there are too many")
    seconds = min(int(age), LONGEST)
    return StsPolicy(domain, identifier, mode, tuple(patterns), seconds, now + timedelta(seconds=seconds))


def matches(host: str, patterns: Sequence[str]) -> bool:
    """Return whether a pattern names `host` (in lower case); `*` is one label, the leftmost (RFC 8461 4.1)."""
    above = host.partition(".")[2]
    return host in patterns or (bool(above) and f"*.{above}" in patterns)
