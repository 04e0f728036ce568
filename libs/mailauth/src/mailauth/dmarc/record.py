"""DMARC policy records (RFC 9989 4.7, 4.8): whatever is wrong in one is replaced by a default, as the RFC says."""

from dataclasses import dataclass
from typing import Literal

from mailauth.known import known

Policy = Literal["none", "quarantine", "reject"]

#: Octets of a record that are read; what is behind them is ignored.
MOST_OCTETS = 16 * 1024

_POLICIES: dict[str, Policy] = {"none": "none", "quarantine": "quarantine", "reject": "reject"}


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A record. `usable`: False if p, sp or np are wrong and there is no rua, so that it asks for nothing (4.10.1).

    `sp` and `np` are None where the next one in the order np, sp, p applies. `psd` is "y", "n" or "u".
    """

    text: str
    usable: bool
    p: Policy
    sp: Policy | None
    np: Policy | None
    psd: str
    testing: bool
    strict_dkim: bool
    strict_spf: bool
    rua: tuple[str, ...]

    def policy(self, *, subdomain: bool, exists: bool) -> Policy:
        """Return the policy for the domain of the record, or a `subdomain` that `exists` or not."""
        if not subdomain:
            return self.p
        return (None if exists else self.np) or self.sp or self.p


def is_dmarc(octets: bytes) -> bool:
    """Return whether a TXT record begins with the tag v, which is "DMARC1" (4.7)."""
    name, equals, value = octets[:MOST_OCTETS].partition(b";")[0].partition(b"=")
    return bool(equals) and name.strip(b" \t").lower() == b"v" and value.strip(b" \t") == b"DMARC1"


@known
def parse(octets: bytes) -> DmarcRecord:
    """Return the record of a TXT record for which `is_dmarc` is true."""
    text = octets[:MOST_OCTETS].decode("ascii", "replace")
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip(" \t").lower(), value.strip(" \t"))
    rua = tuple(each.strip() for each in found.get("rua", "").split(",") if _is_uri(each.strip()))
    right = all(found[name].lower() in _POLICIES for name in ("p", "sp", "np") if name in found) and "p" in found
    p, sp, np = (_POLICIES.get(found.get(name, "").lower()) for name in ("p", "sp", "np"))
    psd = found.get("psd", "u").lower()
    return DmarcRecord(
        text=text,
        usable=right or bool(rua),
        p=(p or "none") if right else "none",
        sp=sp if right else None,
        np=np if right else None,
        psd=psd if psd in ("y", "n") else "u",
        testing=found.get("t", "n").lower() == "y",
        strict_dkim=found.get("adkim", "r").lower() == "s",
        strict_spf=found.get("aspf", "r").lower() == "s",
        rua=rua,
    )


def _is_uri(text: str) -> bool:
    """Return whether `text` could be a URI to report to."""
    scheme, colon, rest = text.partition(":")
    if not (colon and rest and scheme.isascii() and scheme[:1].isalpha() and rest.isascii() and rest.isprintable()):
        return False
    return " " not in rest and (scheme.lower() != "mailto" or 0 < rest.find("@") < len(rest) - 1)
