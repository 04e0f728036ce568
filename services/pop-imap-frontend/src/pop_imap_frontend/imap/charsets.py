"""Charsets in which a search may be written (RFC 3501 6.4.4): the registered names of Python's codecs that mail uses."""

import codecs

from pop_imap_frontend.imap.refusals import No

#: Names for BADCHARSET; other registered names of the same codecs are known, too.
NAMES = (
    "US-ASCII",
    "UTF-8",
    "UTF-7",
    "UTF-16",
    *(f"ISO-8859-{part}" for part in range(1, 17) if part != 12),
    *(f"WINDOWS-{page}" for page in (874, *range(1250, 1259))),
    "KOI8-R",
    "KOI8-U",
    "IBM437",
    "IBM850",
    "IBM852",
    "IBM866",
    "MACINTOSH",
    "TIS-620",
    "BIG5",
    "BIG5-HKSCS",
    "GB2312",
    "GBK",
    "GB18030",
    "HZ-GB-2312",
    "EUC-JP",
    "SHIFT_JIS",
    "ISO-2022-JP",
    "ISO-2022-JP-2",
    "EUC-KR",
    "ISO-2022-KR",
)
#: Names that Python spells otherwise.
_SPELLED = {"WINDOWS-874": "cp874", "MACINTOSH": "mac-roman"}

CODECS = {codecs.lookup(_SPELLED.get(name, name)).name for name in NAMES}
_REFUSAL = f"[BADCHARSET ({' '.join(NAMES)})] the charset is not known here"


def codec_of(name: str) -> str:
    """Return the codec of a charset. Raises No with BADCHARSET."""
    try:
        found = codecs.lookup(_SPELLED.get(name.upper(), name)).name
    except (LookupError, ValueError):
        raise No(_REFUSAL) from None
    if found not in CODECS:
        raise No(_REFUSAL)
    return found
