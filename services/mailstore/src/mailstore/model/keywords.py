"""Flag names and bits: five system flags, then a bit per keyword in order of first use in the folder (RFC 3501 2.3.2)."""

from collections.abc import Iterable, Sequence

from mailstore_api.wire import FIRST_KEYWORD_BIT, MOST_KEYWORDS, SYSTEM_FLAGS

_SYSTEM = {name.lower(): bit for name, bit in SYSTEM_FLAGS.items()}
SYSTEM_BITS = (1 << FIRST_KEYWORD_BIT) - 1


class TooManyKeywords(Exception):
    """The folder has no free bit for a new keyword."""


def mask_of(known: Sequence[str], flags: Iterable[str], *, grow: bool = True) -> tuple[list[str], int]:
    """Return the folder's keywords, with `grow` the new ones too, and the mask of `flags`. Names are case-insensitive.

    A name with a backslash that is not a system flag has no bit: \\Recent cannot be stored (RFC 3501 2.3.2).
    Raises TooManyKeywords.
    """
    keywords = list(known)
    places = {name.lower(): place for place, name in enumerate(keywords)}
    mask = 0
    for name in flags:
        key = name.lower()
        if key.startswith("\\"):
            mask |= _SYSTEM.get(key, 0)
            continue
        if key not in places:
            if not grow:
                continue
            if len(keywords) >= MOST_KEYWORDS:
                raise TooManyKeywords
            places[key] = len(keywords)
            keywords.append(name)
        mask |= 1 << (FIRST_KEYWORD_BIT + places[key])
    return keywords, mask


def carry(source: Sequence[str], target: Sequence[str], masks: Sequence[int]) -> tuple[list[str], list[int]]:
    """Translate masks of one folder to the bits of another; return the target's new keywords and the masks.

    Raises TooManyKeywords.
    """
    used = 0
    for mask in masks:
        used |= mask
    names = {1 << (FIRST_KEYWORD_BIT + place): name for place, name in enumerate(source)}
    keywords, _ = mask_of(target, [name for bit, name in names.items() if used & bit])
    bits = {bit: mask_of(keywords, [name])[1] for bit, name in names.items() if used & bit}
    if all(bit == new for bit, new in bits.items()):
        return keywords, list(masks)
    return keywords, [(mask & SYSTEM_BITS) | sum(new for bit, new in bits.items() if mask & bit) for mask in masks]
