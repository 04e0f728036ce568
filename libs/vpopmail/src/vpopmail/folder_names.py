"""Names of Maildir++ folders: `.Work.2009` is the folder 2009 in Work. Modified UTF-7 (RFC 3501 5.1.3) or UTF-8."""

import base64
import binascii
import re
from collections.abc import Sequence

from vpopmail.tree import is_text

#: What is not written as it is.
_PLAIN = re.compile(r"&|[^ -%'-\-0-~]+")
_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
#: An ampersand that begins no shift: the name is not modified UTF-7.
_BARE = re.compile(r"&(?![A-Za-z0-9+,]*-)")


def levels_of(directory: str) -> list[str] | None:
    """Return the levels of the folder in a directory like `.Work.2009`; None if it has an empty level or is not UTF-8."""
    if not is_text(directory):
        return None
    levels = [decoded(level) for level in directory.removeprefix(".").split(".")]
    return levels if all(levels) else None


def decoded(text: str) -> str:
    """Decode modified UTF-7 (Courier before 5, Dovecot); UTF-8 (Courier 5 and later) is returned as it is."""
    if "&" not in text or not text.isascii() or _BARE.search(text):
        return text
    try:
        return _SHIFTED.sub(_unshifted, text)
    except (binascii.Error, UnicodeDecodeError):
        return text


def directory_of(levels: Sequence[str]) -> str:
    """Return the directory of a folder, in modified UTF-7; a dot, or a slash, in a level is encoded as well."""
    return "".join(f".{_encoded(level)}" for level in levels)


def _encoded(level: str) -> str:
    return _PLAIN.sub(lambda match: "&-" if match[0] == "&" else _shifted(match[0]), level)


def _shifted(text: str) -> str:
    return "&" + base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"


def _unshifted(match: re.Match[str]) -> str:
    shifted = match[1].replace(",", "/")
    return base64.b64decode(shifted + "=" * (-len(shifted) % 4)).decode("utf-16-be") if shifted else "&"
