"""SASLprep (RFC 4013): user names and passwords in the form in which they are compared. Pure.

The tables are those of the standard library's `stringprep`: Unicode 3.2, as RFC 3454 requires.
"""

import stringprep as tables
from unicodedata import ucd_3_2_0 as unicode

#: RFC 4013 2.3.
_PROHIBITED = (
    tables.in_table_c12,
    tables.in_table_c21_c22,
    tables.in_table_c3,
    tables.in_table_c4,
    tables.in_table_c5,
    tables.in_table_c6,
    tables.in_table_c7,
    tables.in_table_c8,
    tables.in_table_c9,
)


def saslprep(text: str, *, stored: bool = False) -> str:
    """Return `text` prepared, as a query string or, with `stored`, as a stored string, which has no unassigned code points.

    Raises ValueError if it has prohibited characters or mixes directions (RFC 3454 6).
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(" " if tables.in_table_c12(char) else char for char in text if not tables.in_table_b1(char))
    found = unicode.normalize("NFKC", mapped)
    if any(test(char) for char in found for test in _PROHIBITED):
        raise ValueError("a character that is prohibited in names and passwords")
    if stored and any(tables.in_table_a1(char) for char in found):
        raise ValueError("a character that Unicode 3.2 does not have")
    if any(tables.in_table_d1(char) for char in found) and (
        any(tables.in_table_d2(char) for char in found)
        or not (tables.in_table_d1(found[0]) and tables.in_table_d1(found[-1]))
    ):
        raise ValueError("characters of both directions")
    return found
