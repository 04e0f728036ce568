"""Sections of FETCH over the part table, and HEADER.FIELDS (RFC 3501 6.4.5)."""

import pytest

from mailstore.mime import header_fields, render, section
from tests.support.mime_samples import INNER, PLAIN, multipart

MESSAGE = b"Subject: s\r\n" + multipart(b"q", PLAIN, multipart(b"r", INNER, PLAIN), INNER)
INNER_HEADER = b'From: in@ner\r\nSubject: inner\r\nTo: "T" <t@t>\r\nTo: u@u\r\n\r\n'


def _read(message: bytes, spec: str | bytes) -> bytes | None:
    found = section(render(message).parts, spec)
    return None if found is None else b"".join(message[at : at + size] for at, size in found.ranges)


@pytest.mark.parametrize(
    ("spec", "content"),
    [
        ("", MESSAGE),
        ("HEADER", MESSAGE[: MESSAGE.index(b"\r\n\r\n") + 4]),
        ("header", MESSAGE[: MESSAGE.index(b"\r\n\r\n") + 4]),
        ("HEADER.FIELDS (Subject To)", MESSAGE[: MESSAGE.index(b"\r\n\r\n") + 4]),
        ("TEXT", MESSAGE[MESSAGE.index(b"\r\n\r\n") + 4 :]),
        ("1", b"hello\r\nworld"),
        (b"1.MIME", b"Content-Type: text/plain\r\n\r\n"),
        ("2.1", INNER.partition(b"\r\n\r\n")[2]),
        ("2.1.MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        ("2.1.HEADER", INNER_HEADER),
        ("2.1.HEADER.FIELDS.NOT (x)", INNER_HEADER),
        ("2.1.TEXT", b"inner body\r\n"),
        ("2.1.1", b"inner body\r\n"),
        ("2.2", b"hello\r\nworld"),
        ("3.1", b"inner body\r\n"),
        ("1.HEADER", None),
        ("1.TEXT", None),
        ("4", None),
        ("0", None),
        ("1.2", None),
        ("2.1.2", None),
        ("2.3", None),
        ("MIME", None),
        ("1.BOGUS", None),
        ("99999999999999999999", None),
    ],
)
def test_sections(spec: str | bytes, content: bytes | None) -> None:
    assert _read(MESSAGE, spec) == content


def test_a_message_without_parts_is_its_own_part_1() -> None:
    message = b"Subject: s\r\n\r\nbody"
    assert _read(message, "1") == b"body"
    assert _read(message, "1.MIME") == b"Subject: s\r\n\r\n"
    assert _read(message, "2") is None


@pytest.mark.parametrize(
    ("part", "sections"),
    [
        (b"X: y\r\n\r\n", {"1.MIME": b"X: y\r\n", "1": b""}),
        (b"\r\n", {"1.MIME": b"", "1": b""}),
        (b"", {"1.MIME": b"", "1": b""}),
        (b"X: y\r\n", {"1.MIME": b"X: y", "1": b""}),
        (b"X: y\r\n\r\n\r\n", {"1.MIME": b"X: y\r\n\r\n", "1": b""}),
        (
            b"Content-Type: message/rfc822\r\n\r\nX: y\r\n\r\n",
            {
                "1.MIME": b"Content-Type: message/rfc822\r\n\r\n",
                "1": b"X: y\r\n",
                "1.HEADER": b"X: y\r\n",
                "1.TEXT": b"",
            },
        ),
    ],
)
def test_the_line_end_before_a_delimiter_is_no_part_of_a_part(part: bytes, sections: dict[str, bytes]) -> None:
    """RFC 2046 5.1.1: also where it is the blank line after a header, or would end the header's last line."""
    message = b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n" + part + b"--q--\r\n"
    assert {spec: _read(message, spec) for spec in sections} == sections


def test_the_prefix_belongs_to_the_header() -> None:
    parts = render(b"Subject: s\r\n\r\nbody").parts
    with_prefix = {
        spec: found.prefix for spec in ("", "HEADER", "TEXT", "1", "1.MIME") if (found := section(parts, spec))
    }
    assert with_prefix == {"": True, "HEADER": True, "TEXT": False, "1": False, "1.MIME": True}
    inner = section(render(MESSAGE).parts, "2.1.HEADER")
    assert inner is not None and not inner.prefix and inner.size == len(INNER_HEADER)


def test_an_empty_or_damaged_table_has_no_sections() -> None:
    assert section(b"", "1") is None
    assert section(render(MESSAGE).parts[:25], "2") is None


HEADER = b"Return-Path: <x>\r\nTo: a@b,\r\n c@d\r\nSubject : s\r\nno colon\r\nTO: e@f\r\nX-TO: g\r\n\r\n"


def test_header_fields() -> None:
    assert header_fields(HEADER, [b"to"]) == b"To: a@b,\r\n c@d\r\nTO: e@f\r\n\r\n"
    assert header_fields(HEADER, ["SUBJECT", "Return-Path"]) == b"Return-Path: <x>\r\nSubject : s\r\n\r\n"
    assert header_fields(HEADER, ["none"]) == header_fields(b"\r\n", [b"to"], not_=True) == b"\r\n"
    assert header_fields(HEADER, [b"to", "Subject"], not_=True) == b"Return-Path: <x>\r\nno colon\r\nX-TO: g\r\n\r\n"


def test_header_fields_of_a_message_without_a_blank_line() -> None:
    for header in (HEADER[:-2], HEADER[:-4]):
        assert header_fields(header, [b"x-to"]) == b"X-TO: g\r\n\r\n"
        assert header_fields(header, [b"to", b"subject", b"return-path"], not_=True) == b"no colon\r\nX-TO: g\r\n"
    assert header_fields(b"", [b"to"], not_=True) == b""
