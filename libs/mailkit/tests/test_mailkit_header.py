"""Headers: cut where they end, read by name, in time that grows with their size only."""

import pytest

from mailkit.mail.header import Header, header_of, is_whole
from mailkit.testing.growth import MOST_GROWTH, growth


@pytest.mark.parametrize(
    ("message", "header"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nC: 3\r\n\r\n", b"A: 1\r\nB: 2\r\n"),
        (b"\r\nA: 1\r\n\r\n", b""),
        (b"hello\r\nA: 1\r\n\r\n", b""),
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
    ("message", "has_header"),
    [
        (b"A: 1", True),
        (b"A :1", True),
        (b"From a@b Mon\r\nA: 1", True),
        (b">From a@b Mon\r\nA: 1", True),
        (b"", False),
        (b"\r\nA: 1", False),
        (b" A: 1", False),
        (b"hello there: x", False),
        (b"hello\r\nA: 1\r\n\r\n", False),
    ],
)
def test_a_message_has_a_header_when_it_begins_with_one(message: bytes, has_header: bool) -> None:
    assert bool(header_of(message)) is has_header


@pytest.mark.parametrize(
    ("message", "whole"),
    [
        (b"A: 1\r\n\r\n" + b"x" * 99, True),
        (b"A: 1\r\n", True),
        (b"A: 1\r\nB: 2\r\n\r\n", False),
        (b"A: 123456789", False),
        (b"hello\r\n" * 9, True),
        (b"\r\nhello" * 9, True),
        (b"", True),
    ],
)
def test_a_header_that_was_cut_short_is_told_from_a_whole_one(message: bytes, whole: bool) -> None:
    assert is_whole(header_of(message, 8), message) is whole


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
        is_whole(header.raw, text)

    assert growth(lambda n: start + pump * (n // len(pump)) + end, read, 100_000) < MOST_GROWTH
