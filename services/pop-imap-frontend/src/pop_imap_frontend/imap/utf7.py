"""Modified UTF-7 of mailbox names (RFC 3501 5.1.3)."""

import base64
import binascii
import re

_SHIFTED = re.compile(r"&([^-]*)(-?)")
_SPECIAL = re.compile(r"[^\x20-\x7e]+|&")


def decode_utf7(raw: bytes) -> str:
    """Return the name as text; plain UTF-8 is accepted, too. Raises ValueError."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        return raw.decode("utf-8")
    if "&" not in text:
        return text
    return _SHIFTED.sub(_unshift, text)


def _unshift(match: re.Match[str]) -> str:
    shifted = match[1]
    if not match[2]:
        raise ValueError("unended shift")
    if not shifted:
        return "&"
    try:
        data = base64.b64decode((shifted + "=" * (-len(shifted) % 4)).replace(",", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError("bad shift") from error
    return data.decode("utf-16-be")


def encode_utf7(name: str) -> bytes:
    """Return the name in modified UTF-7."""
    return _SPECIAL.sub(_shift, name).encode("ascii")


def _shift(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    data = base64.b64encode(match[0].encode("utf-16-be", "surrogatepass")).decode().rstrip("=")
    return f"&{data.replace('/', ',')}-"
