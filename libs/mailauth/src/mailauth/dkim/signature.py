"""A DKIM-Signature field, or an ARC-Message-Signature, which has the same tags (RFC 6376 3.5, RFC 8617 4.1.2)."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mailauth import tags
from mailauth.canonical import Form, canonical_field
from mailauth.dkim.keys import Algorithm
from mailauth.dns import ascii_domain, is_within
from mailauth.header import HeaderField
from mailauth.tags import BadTags

#: Names in h= that are read; the header of a message has a bound of its own.
MOST_NAMES = 1000

_FORMS: dict[str, tuple[Form, Form]] = {
    "simple": ("simple", "simple"), "simple/simple": ("simple", "simple"), "simple/relaxed": ("simple", "relaxed"),
    "relaxed": ("relaxed", "simple"), "relaxed/simple": ("relaxed", "simple"), "relaxed/relaxed": ("relaxed", "relaxed"),
}  # fmt: skip
_ALGORITHMS: dict[str, Algorithm] = {"rsa-sha256": "rsa-sha256", "ed25519-sha256": "ed25519-sha256"}


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as its field says it. `length`: l=; `names`: h= in lower case; `time` and `expires` in seconds since 1970."""

    raw: bytes
    domain: str
    selector: str
    algorithm: Algorithm
    header_form: Form
    body_form: Form
    names: tuple[bytes, ...]
    body_hash: bytes
    octets: bytes
    identity: str
    identity_domain: str
    length: int | None
    time: int | None
    expires: int | None
    start: str
    """The first characters of b=, which tell signatures of one message apart (RFC 6008)."""


def parse(field: HeaderField) -> Signature:
    """Return the signature of a DKIM-Signature field. Raises BadTags."""
    found = tags.parse(field.value)
    tags.needed(found, "v", "a", "b", "bh", "d", "h", "s")
    if found["v"] != "1":
        raise BadTags("an unknown version")
    if "dns/txt" not in tags.items(found.get("q", "dns/txt")):
        raise BadTags("an unknown way to get the key")
    return parsed(field.raw, found)


def parsed(raw: bytes, found: dict[str, str], *, from_needed: bool = True) -> Signature:
    """Return the signature whose tags are `found`. Raises BadTags."""
    algorithm = _ALGORITHMS.get(found["a"].lower())
    if algorithm is None:
        raise BadTags(f"the algorithm {found['a'][:20]} is not allowed")  # RFC 8301 3.1: rsa-sha1
    forms = _FORMS.get(found.get("c", "simple").lower())
    if forms is None:
        raise BadTags("an unknown canonical form")
    domain, identity_domain = domain_of(found)
    names = tuple(each.encode("latin-1") for each in tags.items(found["h"]))
    if len(names) > MOST_NAMES:
        raise BadTags(f"more than {MOST_NAMES} names in h=")
    if from_needed and b"from" not in names:
        raise BadTags("From is not signed")
    time = tags.number(found["t"], 12) if "t" in found else None
    expires = tags.number(found["x"], 12) if "x" in found else None
    if time is not None and expires is not None and expires <= time:
        raise BadTags("x= is not after t=")
    return Signature(
        raw=raw,
        domain=domain,
        selector=found["s"],
        algorithm=algorithm,
        header_form=forms[0],
        body_form=forms[1],
        names=names,
        body_hash=tags.decoded(found["bh"]),
        octets=tags.decoded(found["b"]),
        identity=found.get("i", "@" + domain),
        identity_domain=identity_domain,
        length=tags.number(found["l"], 76) if "l" in found else None,
        time=time,
        expires=expires,
        start="".join(found["b"].split())[:8],
    )


def domain_of(found: dict[str, str]) -> tuple[str, str]:
    """Return the domains of d= and of i=, which is the same or below it. Raises BadTags."""
    domain = ascii_domain(found["d"])
    if domain is None or ascii_domain(found["s"]) is None or "." not in domain:
        raise BadTags("d= or s= is no domain name")
    if "i" not in found or found["i"].isdigit():  # a number in ARC
        return domain, domain
    identity = ascii_domain(found["i"].rpartition("@")[2])
    if identity is None or not is_within(identity, domain):
        raise BadTags("i= is not within d=")
    return domain, identity


class SignedFields:
    """The fields of a header as signatures select them, in canonical form once for all signatures."""

    def __init__(self, fields: Sequence[HeaderField]) -> None:
        self._by_name: dict[bytes, list[HeaderField]] = defaultdict(list)
        for each in fields:
            self._by_name[each.name].append(each)
        self._canonical: dict[tuple[int, Form], bytes] = {}

    def digest(self, names: Sequence[bytes], form: Form, field: bytes) -> bytes:
        """Return the SHA-256 of the fields called `names`, the last of each name first, and of `field` (RFC 6376 3.7, 5.4.2).

        `field`: the signature's own, with an empty b=.
        """
        made: list[bytes] = []
        taken: dict[bytes, int] = {}
        for name in names:
            held = self._by_name.get(name)
            if held is None:
                continue
            n = taken.get(name, 0) + 1
            if n <= len(held):
                taken[name] = n
                made.append(self._form(held[-n], form))
        made.append(canonical_field(tags.without_value(field, b"b"), form))
        return hashlib.sha256(b"\r\n".join(made)).digest()

    def _form(self, field: HeaderField, form: Form) -> bytes:
        key = id(field), form
        if key not in self._canonical:
            self._canonical[key] = canonical_field(field.raw, form)
        return self._canonical[key]
