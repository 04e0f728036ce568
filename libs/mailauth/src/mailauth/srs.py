"""Senders of forwarded mail (SRS, the Sender Rewriting Scheme, as Mail::SRS writes it), and the way back from them.

SPF fails when another host sends mail with the sender it came with. So a forwarder puts its own domain there, and what it needs
for the way back into the local part: `SRS0=hash=day=host=user`. The next forwarder keeps the first one's text and adds its name,
`SRS1=hash=first==hash=day=host=user`: bounces skip all between. Only who has a key makes a hash that `original` accepts.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: Days for which an address is accepted.
LIFE_DAYS = 21
#: Octets of an address (RFC 5321 4.5.3.1.3, without the angle brackets).
LONGEST = 254
_DAY = 86400
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#: Days after which a timestamp has the same two digits again.
_ROUND = len(_DIGITS) ** 2
_KIND = re.compile(r"SRS([01])[-+=]", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """How hashes are written: `length` characters in base 32 or 64. `dated`: an SRS1 has the day of its own making as well."""

    algorithm: Literal["sha1", "sha256"]
    alphabet: Literal["base32", "base64"]
    length: int
    dated: bool


#: 50 bits, whose case does not matter. In an SRS1 the day follows the hash in the same word.
LONG = Form("sha256", "base32", 10, dated=True)
#: What Mail::SRS, libsrs2 and postsrsd write unless told otherwise: about 21 bits, as they compare without case.
CLASSIC = Form("sha1", "base64", 4, dated=False)


def is_srs(local: str) -> bool:
    """Return whether a local part is written as SRS does, by whomever."""
    return _KIND.match(local) is not None


def rewrite(sender: str, domain: str, key: bytes, *, now: float, form: Form = LONG) -> str | None:
    """Return the sender with which mail from `sender` is forwarded by `domain`; None if there is no such address.

    `now`: seconds since 1970. None: `sender` is the null sender or no address, or the result would be longer than an address is.
    """
    local, _, host = sender.rpartition("@")
    if not local or not host:
        return None
    kind = _KIND.match(local)
    day = _written(now)
    if kind is None:
        made = f"SRS0={_hash(form, key, '0', day, host, local)}={day}={host}={local}"
    else:
        first, user = host, local[4:]  # user begins with the separator, which the first forwarder chose
        if kind[1] == "1":
            _, _, further = local[5:].partition("=")
            first, separator, user = further.partition("=")
            if not first or not separator or not user:
                return None
        mark = _hash(form, key, "1", day, first, user) + day if form.dated else _hash(form, key, "1", "", first, user)
        made = f"SRS1={mark}={first}={user}"
    whole = f"{made}@{domain}"
    return whole if len(whole.encode("utf-8", "surrogatepass")) <= LONGEST else None


def original(local: str, keys: Sequence[bytes], *, now: float, form: Form = LONG, days: int = LIFE_DAYS) -> str | None:
    """Return the address that a local part made by `rewrite` leads back to; None if it is forged, malformed or too old.

    `keys`: those it may have been made with. In the classic form an SRS1 has no day and never becomes too old.
    """
    kind = _KIND.match(local)
    if kind is None or (form.dated and local[4] != "="):
        return None
    rest = local[5:]
    if kind[1] == "0":
        parts = rest.split("=", 3)
        if len(parts) < 4 or not all(parts):
            return None
        mark, day, host, user = parts
        good = _is_recent(day, now, days) and _is_ours(mark, keys, form, "0", day, host, user)
        return f"{user}@{host}" if good else None
    mark, _, further = rest.partition("=")
    first, _, user = further.partition("=")
    if not first or user[:1] not in ("-", "+", "=") or not user[:1]:
        return None
    if not form.dated:
        return f"SRS0{user}@{first}" if _is_ours(mark, keys, form, "1", "", first, user) else None
    mark, day = mark[: form.length], mark[form.length :]
    good = _is_recent(day, now, days) and _is_ours(mark, keys, form, "1", day, first, user)
    return f"SRS0{user}@{first}" if good else None


def _hash(form: Form, key: bytes, kind: str, day: str, host: str, user: str) -> str:
    """Return the hash of an address's parts, which relays may write in other case (in ASCII)."""
    # Mail::SRS has nothing between the parts, so that octets may move from one to the other; ours cannot
    text = "=".join((kind, day, host, user)) if form.dated else day + host + user
    digest = hmac.digest(key, text.encode("utf-8", "surrogatepass").lower(), form.algorithm)
    encoded = base64.b32encode(digest) if form.alphabet == "base32" else base64.b64encode(digest)
    return encoded[: form.length].decode("ascii")


def _is_ours(mark: str, keys: Sequence[bytes], form: Form, kind: str, day: str, host: str, user: str) -> bool:
    given = mark.encode("utf-8", "surrogatepass").lower()
    return any(hmac.compare_digest(given, _hash(form, key, kind, day, host, user).lower().encode()) for key in keys)


def _written(now: float) -> str:
    day = int(now // _DAY) % _ROUND
    return _DIGITS[day // len(_DIGITS)] + _DIGITS[day % len(_DIGITS)]


def _is_recent(day: str, now: float, days: int) -> bool:
    """Return whether two digits name one of the last `days` days, or the next one: clocks differ."""
    at = [_DIGITS.find(digit) for digit in day.upper()]
    if len(at) != 2 or -1 in at:
        return False
    age = (int(now // _DAY) - at[0] * len(_DIGITS) - at[1]) % _ROUND
    return age <= days or age == _ROUND - 1
