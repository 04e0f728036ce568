"""The collation i;unicode-casemap (RFC 5051), in which SEARCH, SORT and THREAD compare texts (RFC 5256 7, RFC 5255 4.3)."""

import re
import unicodedata

#: Characters of which `str.upper` is not the simple titlecase mapping of UnicodeData, in ranges of code points.
_IRREGULAR_RANGES = (
    (0xDF, 0xDF), (0x149, 0x149), (0x1C4, 0x1CC), (0x1F0, 0x1F3), (0x390, 0x390), (0x3B0, 0x3B0), (0x587, 0x587),
    (0x10D0, 0x10FA), (0x10FD, 0x10FF), (0x1E96, 0x1E9A), (0x1F50, 0x1F50), (0x1F52, 0x1F52), (0x1F54, 0x1F54),
    (0x1F56, 0x1F56), (0x1F80, 0x1FFC), (0xFB00, 0xFB06), (0xFB13, 0xFB17),
)  # fmt: skip


def _simple_titlecase(char: str) -> str:
    """The simple titlecase mapping: Python knows the full one, which is longer for a few characters."""
    mapped = char.title()
    return mapped if len(mapped) == 1 else char


_IRREGULAR = {
    char: _simple_titlecase(char) for low, high in _IRREGULAR_RANGES for char in map(chr, range(low, high + 1))
}
_regular_run = re.compile("[^" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _IRREGULAR_RANGES) + "]++")


def casemap(text: str) -> str:
    """Return `text` as it is compared: each character in titlecase, then decomposed. Its order is that of its characters."""
    if text.isascii():
        return text.upper()
    mapped = text.upper() if _regular_run.fullmatch(text) else _titlecase(text)
    return unicodedata.normalize("NFKD", mapped)


def _titlecase(text: str) -> str:
    regular = _regular_run.sub(lambda match: match[0].upper(), text)
    return "".join([_IRREGULAR.get(char, char) for char in regular])
