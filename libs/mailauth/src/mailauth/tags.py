"""Tag lists: `v=1; a=rsa-sha256` in DKIM, ARC and DMARC (RFC 6376 3.2)."""

import base64
import binascii

#: Tags of a list, and octets of a value in base64; a key of 16,384 bits takes 2,800.
MOST_TAGS, MOST_BASE64 = 100, 8192

_ALPHA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_IN_NAMES = _ALPHA | frozenset("0123456789_")


class BadTags(ValueError):
    """The text is no tag list, or a tag has no proper value; the message says which."""


def parse(octets: bytes) -> dict[str, str]:
    """Return the tags of a list with their values, without white space around them. Raises BadTags.

    Octets outside ASCII are characters of Latin-1: they compare like the octets.
    """
    found: dict[str, str] = {}
    parts = octets.decode("latin-1").split(";")
    if not parts[-1].strip(" \t\r\n"):
        parts.pop()
    if len(parts) > MOST_TAGS:
        raise BadTags(f"more than {MOST_TAGS} tags")
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or not name or name[0] not in _ALPHA or not _IN_NAMES.issuperset(name):
            raise BadTags(f"no tag: {name[:20]!r}")
        if name in found:
            raise BadTags(f"the tag {name} is there twice")
        found[name] = value.strip(" \t\r\n")
    return found


def without_value(raw: bytes, name: bytes) -> bytes:
    """Return a field with the value of one tag removed, and the white space around it (RFC 6376 3.7)."""
    label, colon, value = raw.partition(b":")
    parts = value.split(b";")
    for n, part in enumerate(parts):
        tag, equals, _ = part.partition(b"=")
        if equals and tag.strip(b" \t\r\n") == name:
            parts[n] = tag + equals
            break
    return label + colon + b";".join(parts)


def needed(tags: dict[str, str], *names: str) -> None:
    """Raise BadTags if one of the tags is missing."""
    for name in names:
        if name not in tags:
            raise BadTags(f"the tag {name} is missing")


def items(text: str) -> list[str]:
    """Return the items of a list with colons, in lower case, without white space."""
    return [each.strip(" \t\r\n").lower() for each in text.split(":")]


def number(text: str, digits: int) -> int:
    """Return an unsigned number of at most `digits` digits. Raises BadTags."""
    if not (0 < len(text) <= digits and text.isascii() and text.isdigit()):
        raise BadTags("a number is wrong")
    return int(text)


def decoded(text: str) -> bytes:
    """Return the octets of base64, in which there may be white space. Raises BadTags."""
    try:
        if len(text) > MOST_BASE64:
            raise BadTags("base64 that is too long")
        return base64.b64decode(text.translate(dict.fromkeys(map(ord, " \t\r\n"))), validate=True)
    except (binascii.Error, ValueError):
        raise BadTags("base64 that is wrong") from None
