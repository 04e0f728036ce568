"""Headers: cut where they end, read by name, in time that grows with their size only."""

import pytest

from mailkit.header import Header, begins_with_field, header_of
from tests.support.patterns import MOST_GROWTH, growth


@pytest.mark.parametrize(
    ("message", "header"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nC: 3\r\n\r\n", b"A: 1\r\nB: 2\r\n"),
        (b"\r\nA: 1\r\n\r\n", b""),
        (b"A: 1\r\n", b"A: 1\r\n"),
        (b"A: 1", b"A: 1"),
        (b"", b""),
    ],
)
def test_a_header_ends_before_the_first_empty_line(message: bytes, header: bytes) -> None:
    assert header_of(message) == header


@pytest.mark.parametrize("most", range(4, 13))
def test_a_header_is_cut_behind_a_whole_line(most: int) -> None:
    cut = header_of(b"A: 1\r\nB: 2\r\n\r\n", most)
    assert len(cut) <= most
    assert cut in (b"", b"A: 1\r\n", b"A: 1\r\nB: 2\r\n")
    assert header_of(b"A: 1\r\nB: 2\r\n\r\n", 12) == b"A: 1\r\nB: 2\r\n"


def test_fields_are_found_by_name_whatever_their_case_and_spacing() -> None:
    header = Header(
        b"DELIVERED-TO:  A@b.test \r\nX-Delivered-To: no\r\nDelivered-To\t: c@d.test\r\n"
        b"delivered-to:\r\n e@f.test\r\nDelivered-Together: no\r\nSubject: Delivered-To: no\r\n"
    )
    assert list(header.values(b"delivered-to")) == [b"A@b.test", b"c@d.test", b"e@f.test"]
    assert header.count(b"delivered-to") == 3
    assert b"subject" in header
    assert b"date" not in header


@pytest.mark.parametrize(
    ("message", "is_field"),
    [
        (b"A: 1", True),
        (b"A :1", True),
        (b"", False),
        (b"\r\nA: 1", False),
        (b" A: 1", False),
        (b"hello there: x", False),
    ],
)
def test_a_first_line_is_a_field_or_not(message: bytes, is_field: bool) -> None:
    assert begins_with_field(message) is is_field


@pytest.mark.parametrize(
    ("start", "pump", "end"),
    [
        (b"Delivered-To: a", b" ", b"b"),
        (b"Delivered-To:", b" ", b"\r"),
        (b"Delivered-To", b" ", b"b"),
        (b"", b"Delivered-To ", b""),
        (b"", b"Delivered-To:\r\n", b""),
        (b"", b"\r\nDelivered-To", b""),
        (b"Delivered-To:", b"\r\n ", b""),
        (b"", b"a", b""),
        (b"", b"\r", b""),
    ],
)
def test_reading_a_header_takes_linear_time(start: bytes, pump: bytes, end: bytes) -> None:
    def read(text: bytes) -> None:
        header = Header(header_of(text))
        header.count(b"delivered-to")
        begins_with_field(text)

    assert growth(lambda n: start + pump * (n // len(pump)) + end, read, 100_000) < MOST_GROWTH
