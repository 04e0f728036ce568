"""Fuzz of the IMAP grammar: any octets are a value or BadCommand, never an exception of another kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand, No

TOKENS = st.sampled_from(
    [
        b" ",
        b"(",
        b")",
        b'"',
        b"\\",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"~{1}\r\n",
        b"{99999}\r\n",
        b"*",
        b":",
        b",",
        b"1",
        b"0",
        b"4294967296",
        b"&",
        b"&-",
        b"&AOk-",
        b"\\Seen",
        b"\\Recent",
        b"INBOX",
        b"23-Nov-2026",
        b'"23-Nov-2026 11:20:00 +0000"',
        b'"01-Jan-0001 00:00:00 +2359"',
        b'"31-Dec-9999 23:59:59 -9999"',
        b"31-Feb-2026",
        b"\r\n",
        b"\xff",
        b"\x00",
    ]
)
OCTETS = st.binary(max_size=60) | st.lists(TOKENS | st.binary(max_size=4), max_size=12).map(b"".join)
READERS = [
    "atom",
    "keyword",
    "string",
    "astring",
    "login_text",
    "text",
    "mailbox",
    "list_mailbox",
    "number",
    "sequence_set",
    "flag",
    "flags",
    "date",
    "date_time",
    "space",
    "end",
]


@pytest.mark.parametrize("reader", READERS)
@given(data=OCTETS)
def test_fuzz_any_octets_are_a_value_or_bad(reader: str, data: bytes) -> None:
    cursor = Cursor(data)
    try:
        getattr(cursor, reader)()
    except (BadCommand, No) as error:
        assert str(error).isprintable()
    assert 0 <= cursor.pos <= len(data)


@given(st.binary(max_size=100))
def test_fuzz_a_literal_is_its_octets(value: bytes) -> None:
    cursor = Cursor(b"{%d}\r\n%s)" % (len(value), value))
    assert cursor.string() == value
    assert cursor.peek() == b")"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_fuzz_a_quoted_string_is_its_text(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert Cursor(f'"{quoted}"'.encode()).string() == value.encode()


NUMBERS = st.none() | st.integers(1, 2**32 - 1)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
def test_fuzz_a_sequence_set_is_read_as_written(ranges: list[tuple[int | None, int | None]]) -> None:
    def word(number: int | None) -> str:
        return "*" if number is None else str(number)

    text = ",".join(f"{word(low)}:{word(high)}" for low, high in ranges)
    assert Cursor(text.encode()).sequence_set() == ranges
