"""SEARCH on decoded text, dates and encoded-words (RFC 3501 6.4.4, RFC 2047, RFC 5322 3.3)."""

import base64
import quopri
import sys

import pytest

from mailstore.mime import body_text, render, search
from mailstore.mime.casemap import casemap
from mailstore.mime.dates import as_utc, parse_date
from mailstore.mime.words import header_text
from tests.support.mime_samples import multipart

TEXT = "Grüße aus Köln, ẞ und Ω"
MESSAGE = b"Subject: =?utf-8?Q?=C3=9Cbersicht?=\r\nX-Empty:\r\n" + multipart(
    b"q",
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(TEXT.encode()).replace(b"\n", b"\r\n"),
    b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    + quopri.encodestring("<b>Straße &amp; mehr</b>".encode("latin-1")),
    b"Content-Type: application/pdf; name=bill.pdf\r\n\r\nsecret bytes",
    b"Content-Type: message/rfc822\r\n\r\nSubject: within\r\n\r\ninner text",
)
PARTS = render(MESSAGE).parts


@pytest.mark.parametrize("key", ["grüße AUS", "KÖLN", "Ω", "ω", "straße", "STRASSE", "bill.pdf", "within", "INNER", ""])
def test_body_holds(key: str) -> None:
    assert search.body_contains(MESSAGE, PARTS, key)
    assert search.text_contains(MESSAGE, PARTS, key)


@pytest.mark.parametrize("key", ["secret", "übersicht", "R3LDvMOf", "--q"])
def test_body_does_not_hold(key: str) -> None:
    assert not search.body_contains(MESSAGE, PARTS, key)


def test_text_holds_headers_and_prefix() -> None:
    assert search.text_contains(MESSAGE, PARTS, "ÜBERSICHT")
    assert search.text_contains(MESSAGE, PARTS, "x-empty")
    assert not search.text_contains(MESSAGE, PARTS, "bounce@x")
    assert search.text_contains(MESSAGE, PARTS, "bounce@x", prefix=b"Return-Path: <bounce@x>\r\n")


def test_header_key() -> None:
    header = MESSAGE[: render(MESSAGE).header_len]
    assert search.header_contains(header, "subject", "übers")
    assert search.header_contains(header, "SUBJECT", "")
    assert search.header_contains(header, "x-empty", "")
    assert not search.header_contains(header, "x-empty", "a")
    assert not search.header_contains(header, "x-absent", "")
    assert not search.header_contains(header, "subject", "content")


def test_fold() -> None:
    assert search.fold("ÄÖ ß") == search.fold("äö SS")
    assert search.fold("A\u0308") == search.fold("ä")
    assert search.contains("Hello World", search.fold("LO w"))
    assert search.contains("Café ﬁne", search.fold("cafe")) and search.contains("Café ﬁne", search.fold("FINE"))


def test_what_the_collation_takes_for_equal_is_found() -> None:
    """i;unicode-casemap (RFC 5051), in which SORT and THREAD compare texts."""
    for each in map(chr, range(sys.maxunicode + 1)):
        assert each.isascii() or search.fold(casemap(each)) == search.fold(each) == search.fold(each.casefold())


def test_body_text_is_bounded() -> None:
    assert TEXT in body_text(MESSAGE, PARTS)
    assert len(body_text(MESSAGE, PARTS, 10)) <= 10


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?= c", "ab c"),
        (b"=?utf-8?q?a?=\r\n =?iso-8859-1?b?9g==?=", "aö"),
        (b"=?utf-8?b?w7?= =?utf-8?b?Yw?=", "\ufffdc"),
        (b"=?UTF-8*de?Q?=C3=B6_x?=", "ö x"),
        (b"=?utf-8?b?4pi?=", "\ufffd"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?x-unknown?q?a=F6?=", "aö"),
        (b"=?punycode?q?a?= =?zlib?b?eJw=?=", "ax\u0153"),
        (b"=?utf-8?q?not closed", "=?utf-8?q?not closed"),
        (b"a =?utf-8?q?b?= d", "a b d"),
        ("ö".encode(), "ö"),
        (b"\xf6", "ö"),
        (b"x\0y\r\n z", "xy z"),
    ],
)
def test_encoded_words(written: bytes, read: str) -> None:
    assert header_text(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"Mon, 2 Jan 2006 15:04:05 -0700", "2006-01-02T15:04:05-07:00"),
        (b"2 Jan 2006 15:04 GMT", "2006-01-02T15:04:00+00:00"),
        (b"Mon,\r\n  02 January 06 15:04:60 EST (x)", "2006-01-02T15:04:59-05:00"),
        (b"2-Jan-99 1:02:03", "1999-01-02T01:02:03+00:00"),
        (b"Mon Jan  2 15:04:05 2006", "2006-01-02T15:04:05+00:00"),
        (b"2 Jan 2006", "2006-01-02T00:00:00+00:00"),
        (b"1 Jan 2006 00:00 +2500", "2006-01-01T00:00:00+00:00"),
        (b"31 Feb 2006 00:00 +0000", None),
        (b"1 Foo 2006", None),
        (b"yesterday", None),
        (b"", None),
    ],
)
def test_dates(written: bytes, read: str | None) -> None:
    moment = parse_date(written)
    assert (moment.isoformat() if moment else None) == read


def test_dates_at_the_end_of_the_calendar() -> None:
    last = parse_date(b"31 Dec 9999 23:59:59 -0100")
    assert last is not None and as_utc(last) is None
    ordinary = parse_date(b"2 Jan 2006 15:04:05 -0700")
    assert ordinary is not None and str(as_utc(ordinary)) == "2006-01-02 22:04:05+00:00"
