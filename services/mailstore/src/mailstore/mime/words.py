"""Unstructured header text: unfolding and decoding of encoded-words and 8-bit octets (RFC 2047, RFC 6532)."""

import binascii
import codecs
import re
from functools import lru_cache

#: Longest decoded text stored for searching (characters).
MAX_TEXT = 32 * 1024

_encoded_word = re.compile(rb"=\?([^?\s*]{1,64})(?:\*[^?\s]{0,32})?\?([bBqQ])\?([^?]*)\?=")
_fold = re.compile(rb"\r?\n")
_q_escape = re.compile(rb"=([0-9A-Fa-f]{2})")
#: Python codecs that are not charsets of mail, or whose time is not linear.
_NOT_CHARSETS = frozenset(("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "unicode-escape"))
#: Charset names that senders use for a superset (WHATWG Encoding Standard 4.2).
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "utf-8", "euc_kr": "cp949"}


@lru_cache(maxsize=256)
def codec_of(charset: str) -> str | None:
    """Return the Python codec for a charset's name; None if it is unknown or not a charset."""
    name = charset.strip().strip("\"'").lower().removesuffix("-i").removesuffix("-e")
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        return None
    if info.name in _NOT_CHARSETS or not getattr(info, "_is_text_encoding", True):
        return None
    return _SUPERSETS.get(info.name, info.name)


def decode_bytes(data: bytes, charset: str | None = None) -> str:
    """Decode octets in a charset; an unknown or missing one is taken for UTF-8 if valid, else for Windows-1252."""
    codec = codec_of(charset) if charset else None
    if codec is not None and codec != "utf-8":
        try:
            return data.decode(codec, "replace")
        except (LookupError, ValueError, UnicodeError):
            pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("utf-8" if codec == "utf-8" and charset_is_utf8(charset) else "cp1252", "replace")


def charset_is_utf8(charset: str | None) -> bool:
    """Return whether `charset` names UTF-8 itself, not a subset of it."""
    return charset is not None and "utf" in charset.lower()


def clean(text: str) -> str:
    """Return `text` as a text column can hold it: no NUL, no lone surrogates, at most MAX_TEXT characters."""
    text = text[:MAX_TEXT]
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def header_text(value: bytes) -> str:
    """Return a field's value unfolded and with its encoded-words decoded."""
    value = value[: 4 * MAX_TEXT]
    if b"\n" in value:
        value = _fold.sub(b"", value)
    if b"=?" not in value:
        return clean(value.decode("ascii") if value.isascii() else decode_bytes(value))
    return clean(_decode_words(value))


def _decode_words(value: bytes) -> str:
    """Decode encoded-words, without the white space between them (RFC 2047 6.2); characters split between two are joined."""
    out: list[str] = []
    pending: list[bytes] = []
    charset = b""
    pos = 0
    for match in _encoded_word.finditer(value):
        between = value[pos : match.start()]
        adjacent = pos > 0 and not between.strip(b" \t\r\n")
        payload = _payload(match[2], match[3])
        if adjacent and match[1].lower() == charset:
            pending.append(payload)
        else:
            out.append(decode_bytes(b"".join(pending), charset.decode("latin-1")))
            if not adjacent:
                out.append(decode_bytes(between))
            pending, charset = [payload], match[1].lower()
        pos = match.end()
    out.append(decode_bytes(b"".join(pending), charset.decode("latin-1")))
    out.append(decode_bytes(value[pos:]))
    return "".join(out)


def _payload(kind: bytes, text: bytes) -> bytes:
    if kind in b"bB":
        return decode_base64(text)
    return _q_escape.sub(lambda match: binascii.unhexlify(match[1]), text.replace(b"_", b" "))


def decode_base64(text: bytes) -> bytes:
    """Decode base64 as far as possible: other characters are skipped, missing padding is added."""
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        kept = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
        kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
        try:
            return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))
        except binascii.Error:
            return b""
