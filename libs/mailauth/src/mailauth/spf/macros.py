"""Macro strings of SPF records: their grammar and expansion (RFC 7208 7)."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from mailauth.dns import LONGEST_NAME

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LETTERS = frozenset("slodiphv")
_LETTERS_OF_EXPLANATIONS = frozenset("crt")
_DELIMITERS = frozenset(".-+,/_=")
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
#: What a number of four digits and more counts as: no value has as many parts.
_MOST_PARTS = 1000


class BadRecord(ValueError):
    """The record is against the grammar; the message says where."""


class NoValue(Exception):
    """A macro has no value that could be part of a name (RFC 8616 4), so that its term matches nothing."""


@dataclass(frozen=True, slots=True)
class Macro:
    """`%{letter digits r delimiters}`. `parts`: how many right-hand parts are kept, 0 for all; `escaped`: upper case."""

    letter: str
    parts: int
    reverse: bool
    delimiters: str
    escaped: bool


MacroString = tuple[str | Macro, ...]
"""Literal text and macros in turn."""


@dataclass(frozen=True, slots=True)
class Values:
    """What macros expand to. `local` and `domain` are those of the sender, `now` is in seconds since 1970."""

    ip: IPAddress
    local: str
    domain: str
    helo: str
    receiver: str
    now: float


def parse(text: str, *, explanation: bool = False) -> MacroString:
    """Return the macro string `text`; macros for explanations only if `explanation`. Raises BadRecord."""
    found: list[str | Macro] = []
    at = 0
    while at < len(text):
        percent = text.find("%", at)
        literal = text[at:] if percent < 0 else text[at:percent]
        if not all("!" <= each <= "~" or (explanation and each == " ") for each in literal):
            raise BadRecord("a character that is not allowed")
        if literal:
            found.append(literal)
        if percent < 0:
            break
        after = text[percent + 1 : percent + 2]
        if after in _ESCAPES and after:
            found.append(_ESCAPES[after])
            at = percent + 2
            continue
        end = text.find("}", percent)
        if after != "{" or end < 0:
            raise BadRecord("a percent sign that begins no macro")
        found.append(_macro(text[percent + 2 : end], explanation))
        at = end + 1
    return tuple(found)


def _macro(text: str, explanation: bool) -> Macro:
    letter = text[:1].lower()
    if letter not in _LETTERS and not (explanation and letter in _LETTERS_OF_EXPLANATIONS):
        raise BadRecord("an unknown macro")
    end = 1
    while end < len(text) and text[end] in "0123456789":
        end += 1
    digits, rest = text[1:end], text[end:]
    reverse = rest[:1] in ("r", "R")
    delimiters = rest[1:] if reverse else rest
    if not _DELIMITERS.issuperset(delimiters) or (digits and not digits.strip("0")):
        raise BadRecord("a macro with a wrong transformer")
    number = digits.lstrip("0")
    parts = 0 if not digits else int(number) if len(number) < 4 else _MOST_PARTS
    return Macro(letter, parts, reverse, delimiters or ".", text[:1].isupper())


def uses(text: MacroString, letter: str) -> bool:
    """Return whether `text` has a macro with this letter."""
    return any(isinstance(part, Macro) and part.letter == letter for part in text)


def expand(text: MacroString, current: str, validated: str, values: Values, most: int) -> str:
    """Return the end of the expanded text: all of it, or a little more than `most` characters.

    `current`: the domain whose record is being evaluated, `validated`: the value of `p`. Raises NoValue. From the right, so
    that the cost is bounded by `most` and one value, not by how often a record repeats a macro.
    """
    done: list[str] = []
    length = 0
    for part in reversed(text):
        each = part if isinstance(part, str) else _value(part, current, validated, values)
        done.append(each)
        length += len(each)
        if length > most:
            break
    return "".join(reversed(done))


def expand_name(text: MacroString, current: str, validated: str, values: Values) -> str:
    """Return the expanded domain-spec; labels are removed from the left of a name that is too long (7.3). Raises NoValue."""
    name = expand(text, current, validated, values, LONGEST_NAME + 1).removesuffix(".")
    if len(name) > LONGEST_NAME:
        name = name[-LONGEST_NAME - 1 :].partition(".")[2]
    return name


def _value(macro: Macro, current: str, validated: str, values: Values) -> str:
    text = _RAW[macro.letter](values, current, validated)
    if macro.letter in "sl" and not text.isascii():
        raise NoValue
    if macro.parts or macro.reverse or macro.delimiters != ".":
        first = macro.delimiters[0]
        parts = text.translate({ord(each): first for each in macro.delimiters}).split(first)
        if macro.reverse:
            parts.reverse()
        text = ".".join(parts[-macro.parts :])
    return quote(text, safe="-._~") if macro.escaped else text


def _dotted(ip: IPAddress) -> str:
    return str(ip) if ip.version == 4 else ".".join(ip.exploded.replace(":", ""))


_RAW: dict[str, Callable[[Values, str, str], str]] = {
    "s": lambda values, current, validated: f"{values.local}@{values.domain}",
    "l": lambda values, current, validated: values.local,
    "o": lambda values, current, validated: values.domain,
    "d": lambda values, current, validated: current,
    "i": lambda values, current, validated: _dotted(values.ip),
    "p": lambda values, current, validated: validated,
    "v": lambda values, current, validated: "in-addr" if values.ip.version == 4 else "ip6",
    "h": lambda values, current, validated: values.helo,
    "c": lambda values, current, validated: str(values.ip),
    "r": lambda values, current, validated: values.receiver,
    "t": lambda values, current, validated: str(int(values.now)),
}
