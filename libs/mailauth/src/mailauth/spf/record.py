"""The grammar of SPF records (RFC 7208 12): the whole record is read before any of it is evaluated (4.6)."""

import ipaddress
from dataclasses import dataclass
from typing import Literal

from mailauth.known import known
from mailauth.spf import macros
from mailauth.spf.macros import BadRecord, MacroString

Qualifier = Literal["pass", "fail", "softfail", "neutral"]
Mechanism = Literal["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"]

#: Octets of a record that are read; a longer one is a permerror. RFC 7208 3.4 recommends 450.
MOST_OCTETS = 16 * 1024

_QUALIFIERS: dict[str, Qualifier] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_MECHANISMS: dict[str, Mechanism] = {
    "all": "all", "include": "include", "a": "a", "mx": "mx", "ptr": "ptr", "ip4": "ip4", "ip6": "ip6", "exists": "exists",
}  # fmt: skip
_ALPHA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
_IN_NAMES = _ALPHA | _DIGITS | frozenset("-_.")


@dataclass(frozen=True, slots=True)
class Directive:
    """A mechanism with what it yields. `target` is None where the domain itself is meant; `length4` and `length6`: prefixes."""

    text: str
    result: Qualifier
    mechanism: Mechanism
    target: MacroString | None = None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    length4: int = 32
    length6: int = 128


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A parsed record. `redirect` is the modifier's text and target."""

    text: str
    directives: tuple[Directive, ...]
    redirect: tuple[str, MacroString] | None = None
    explanation: MacroString | None = None


def is_spf(text: bytes) -> bool:
    """Return whether a TXT record is an SPF record (RFC 7208 4.5)."""
    return text[:6].lower() == b"v=spf1" and text[6:7] in (b"", b" ")


@known
def parse(octets: bytes) -> SpfRecord:
    """Return the record of a TXT record for which `is_spf` is true. Raises BadRecord."""
    if len(octets) > MOST_OCTETS:
        raise BadRecord(f"the record has more than {MOST_OCTETS} octets")
    if not octets.isascii():
        raise BadRecord("the record has characters outside ASCII")
    text = octets.decode("ascii")
    directives: list[Directive] = []
    modifiers: dict[str, tuple[str, MacroString]] = {}
    for term in text[6:].split(" "):
        if not term:
            continue
        try:
            name, equals, value = term.partition("=")
            if equals and name[:1] in _ALPHA and name and _IN_NAMES.issuperset(name):
                _add_modifier(modifiers, term, name.lower(), value)
            else:
                directives.append(_directive(term))
        except BadRecord as error:
            raise BadRecord(f"{term[:100]}: {error}") from None
    exp = modifiers.get("exp")
    return SpfRecord(text, tuple(directives), modifiers.get("redirect"), exp[1] if exp else None)


def _add_modifier(modifiers: dict[str, tuple[str, MacroString]], term: str, name: str, value: str) -> None:
    if name not in ("redirect", "exp"):
        macros.parse(value)  # an unknown modifier is ignored, but it has to be in order
        return
    if name in modifiers:
        raise BadRecord("the modifier is there twice")
    modifiers[name] = (term, _domain_spec(value))


def _directive(term: str) -> Directive:
    result = _QUALIFIERS.get(term[0])
    rest = term[1:] if result else term
    end = min((at for at in (rest.find(":"), rest.find("/")) if at >= 0), default=len(rest))
    mechanism, argument = _MECHANISMS.get(rest[:end].lower()), rest[end:]
    if mechanism is None:
        raise BadRecord("an unknown mechanism")
    result = result or "pass"
    if mechanism == "all":
        if argument:
            raise BadRecord("an argument that is not allowed")
        return Directive(term, result, mechanism)
    if mechanism in ("ip4", "ip6"):
        return Directive(term, result, mechanism, network=_network(mechanism, argument))
    length4, length6 = 32, 128
    if mechanism in ("a", "mx"):
        argument, length4, length6 = _lengths(argument)
    if not argument and mechanism in ("a", "mx", "ptr"):
        return Directive(term, result, mechanism, None, None, length4, length6)
    if not argument.startswith(":"):
        raise BadRecord("the domain is missing")
    return Directive(term, result, mechanism, _domain_spec(argument[1:]), None, length4, length6)


def _network(mechanism: str, argument: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    address, slash, length = argument[1:].partition("/")
    most = 32 if mechanism == "ip4" else 128
    bits = _length(length, most) if slash else most
    try:
        if argument[:1] != ":" or "%" in address:
            raise ValueError
        if mechanism == "ip4":
            return ipaddress.IPv4Network((address, bits), strict=False)
        return ipaddress.IPv6Network((address, bits), strict=False)
    except ValueError:
        raise BadRecord("no network") from None


def _lengths(argument: str) -> tuple[str, int, int]:
    """Return what is in front of a dual-cidr-length, and the two lengths."""
    length4, length6 = 32, 128
    before, slash, digits = argument.rpartition("//")
    if slash and _DIGITS.issuperset(digits):
        argument, length6 = before, _length(digits, 128)
    before, slash, digits = argument.rpartition("/")
    if slash and _DIGITS.issuperset(digits):
        argument, length4 = before, _length(digits, 32)
    return argument, length4, length6


def _length(digits: str, most: int) -> int:
    if not (0 < len(digits) <= 3 and _DIGITS.issuperset(digits)) or (digits[0] == "0" and digits != "0"):
        raise BadRecord("no prefix length")
    if int(digits) > most:
        raise BadRecord("a prefix that is too long")
    return int(digits)


def _domain_spec(text: str) -> MacroString:
    """Return a macro string that ends in a macro or a top label (RFC 7208 7.1)."""
    found = macros.parse(text)
    if not found:
        raise BadRecord("the domain is missing")
    if text.endswith("}") and not isinstance(found[-1], str):
        return found
    if text.endswith(("%%", "%_", "%-")) or not isinstance(found[-1], str):
        return found
    before, dot, top = text.removesuffix(".").rpartition(".")
    if not dot or not _is_top_label(top):
        raise BadRecord("a domain that ends in no top label")
    return found


def _is_top_label(label: str) -> bool:
    """Return whether `label` is alphanumeric with hyphens inside, and no number (RFC 7208 7.1)."""
    if not label or not (_ALPHA | _DIGITS | {"-"}).issuperset(label) or "-" in (label[0], label[-1]):
        return False
    return not _DIGITS.issuperset(label)
