"""BODY and BODYSTRUCTURE as sent, and the limits (RFC 3501 7.4.2, RFC 2046 5)."""

import pytest

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore.mime import render
from mailstore.mime.sections import OPAQUE, unpack
from mailstore.mime.structure import MAX_DEPTH, MAX_PARTS
from tests.support.mime_samples import BARE, INNER, PLAIN, RICH, multipart

TEXT = b'"text" "plain" ("charset" "us-ascii") NIL NIL "7bit" '
P = b"(" + TEXT + b"12 1)"


def test_defaults() -> None:
    rendered = render(b"Subject: x\r\n\r\nhello\r\n")
    assert rendered.body == b"(" + TEXT + b"7 1)"
    assert rendered.bodystructure == b"(" + TEXT + b"7 1 NIL NIL NIL NIL)"
    assert rendered.header_len == 14


def test_content_fields_without_mime_version_or_type_say_nothing() -> None:
    fields = b"Content-Transfer-Encoding: base64\r\nContent-ID: <x>\r\n"
    assert render(fields + b"\r\n").body == b"(" + TEXT + b"0 0)"
    assert b'"<x>" NIL "base64"' in render(b"MIME-Version: 1.0\r\n" + fields + b"\r\n").body


def test_all_fields_of_a_part() -> None:
    assert render(RICH).bodystructure == (
        b'("text" "html" ("charset" "utf-8") "<1@2>" "a desc" "base64" 6 1 "Q2hlY2s=" '
        b'("attachment" ("filename" "x y.html")) ("en" "de") "http://x/y")'
    )


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (b"text/plain", b'"text" "plain" ("charset" "us-ascii")'),
        (b"TEXT/Html; Format=flowed", b'"TEXT" "Html" ("Format" "flowed" "charset" "us-ascii")'),
        (b'a/b; x=1;\r\n\ty="2 3"', b'"a" "b" ("x" "1" "y" "2 3")'),
        (b"a/b (c) ; x=(d)1 (e)", b'"a" "b" ("x" "1")'),
        (b"a/b; name*=utf-8''%C3%B6", b'"a" "b" ("name*" "utf-8\'\'%C3%B6")'),
        (b"a/b; n*1=b; z=1; n*0=a", b'"a" "b" ("z" "1" "n" "ab")'),
        (b"a/b; n*0*=u''a; n*1=b%", b'"a" "b" ("n*" "u\'\'ab%25")'),
        (b"a/b; n*0=a; n*2=c", b'"a" "b" ("n*0" "a" "n*2" "c")'),
        (b"a/b; n==?utf-8?q?x?=; y=1", b'"a" "b" ("n" "=?utf-8?q?x?=" "y" "1")'),
        (b"a/b; n=\xc3\xb6", b'"a" "b" ("n" {2}\r\n\xc3\xb6)'),
        (b"a/b; n=", b'"a" "b" ("n" "")'),
        (b"a/b;;; n", b'"a" "b" NIL'),
        (b"text/plain charset=x", b'"text" "plain" ("charset" "us-ascii")'),
        (b"text", b'"text" "" ("charset" "us-ascii")'),
        (b"multipart", b'"application" "octet-stream" NIL'),
        (b";", b'"" "" NIL'),
    ],
)
def test_content_type(written: bytes, sent: bytes) -> None:
    assert render(b"Content-Type: " + written + b"\r\n\r\n").body.startswith(b"(" + sent + b' NIL NIL "7bit" 0')


def test_multipart() -> None:
    rendered = render(multipart(b"q", PLAIN, BARE, sub=b"alternative"))
    assert rendered.body == b'(%b(%b9 0) "alternative")' % (P, TEXT)
    assert rendered.bodystructure.endswith(b'"alternative" ("boundary" "q") NIL NIL NIL)')


def test_message_in_a_message() -> None:
    address = b'((NIL NIL "in" "ner"))'
    envelope = b'(NIL "inner" %b %b %b (("T" NIL "t" "t")(NIL NIL "u" "u")) NIL NIL NIL NIL)' % ((address,) * 3)
    assert render(multipart(b"q", INNER)).body == (
        b'(("message" "rfc822" NIL NIL NIL "7bit" 68 %b (%b12 1) 6) "mixed")' % (envelope, TEXT)
    )


@pytest.mark.parametrize("outer", [b"b", b"bx", b"bb"])
def test_boundaries_that_begin_alike(outer: bytes) -> None:
    nested = multipart(outer, PLAIN, multipart(b"bbx", PLAIN, BARE), PLAIN)
    assert render(nested).body == b'(%b(%b(%b9 0) "mixed")%b "mixed")' % (P, P, TEXT, P)


def test_missing_ends() -> None:
    inner = multipart(b"c", PLAIN, close=False)
    assert render(multipart(b"b", inner, PLAIN, close=False)).body == (
        b'((%b "mixed")(%b14 2) "mixed")' % (P.replace(b"12 1", b"14 2"), TEXT)
    )


def test_empty_multipart_has_one_empty_part() -> None:
    empty = b"(" + TEXT + b'0 0) "mixed")'
    assert render(multipart(b"b")).body == b"(" + empty
    assert render(b"Content-Type: multipart/mixed\r\n\r\nx").body == b"(" + empty
    assert b"0 0 NIL NIL NIL NIL) " in render(multipart(b"b")).bodystructure


def test_digest_parts_are_messages() -> None:
    digest = multipart(b"b", b"\r\nFrom: d@d\r\n\r\nx", b"Content-Type: text/plain\r\n\r\ny", sub=b"digest")
    body = render(digest).body
    assert body.startswith(b'(("message" "rfc822" NIL NIL NIL "7bit" 14 (NIL NIL ((NIL NIL "d" "d"))')
    assert body.endswith(b'(%b1 0) "digest")' % TEXT)


def test_preamble_epilogue_and_junk_behind_delimiters() -> None:
    message = (
        multipart(b"b", PLAIN, pre=b"pre\r\n").replace(b"--b\r\n", b"--b \t\r\n") + b"epilogue\r\n--b\r\n\r\nno part"
    )
    assert render(message).body == b'(%b "mixed")' % P


def test_bare_line_feeds_are_line_ends() -> None:
    message = multipart(b"b", PLAIN, BARE).replace(b"\r\n", b"\n")
    assert render(message).body == b'((%b11 1)(%b9 0) "mixed")' % (TEXT, TEXT)


def test_nesting_ends_in_an_opaque_part() -> None:
    message = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%03d\r\n\r\n--b%03d\r\n" % (level, level) for level in range(200)
    )
    rows = unpack(render(message).parts)
    assert max(row.depth for row in rows) == MAX_DEPTH
    assert rows[-1].kind == OPAQUE
    assert b'("application" "octet-stream" ("boundary" "b050")' in render(message).body


def test_number_of_parts_is_limited() -> None:
    rows = unpack(render(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 5000).parts)
    assert len(rows) == MAX_PARTS


def test_a_structure_too_large_to_send_is_one_opaque_part() -> None:
    inner = b"Content-Type: message/rfc822\r\n\r\nFrom: " + b"a," * 90 + b"\r\n\r\nx"
    rendered = render(b"Subject: s\r\n" + multipart(b"b", *([inner] * 990)))
    assert rendered.body.startswith(b'("application" "octet-stream" NIL')
    assert len(unpack(rendered.parts)) == 1
    assert b'"s"' in rendered.envelope


@pytest.mark.parametrize(
    ("start", "pump"),
    [
        (b"To: ", b"a,"),
        (b"To: ", b"("),
        (b"To: (", b"\\("),
        (b"", b"From: a,a,a,a\r\n"),
        (b"Subject: ", b"\r\n x"),
        (b"Subject: ", b"=?utf-8?q?a?= "),
        (b"Content-Type: a/b", b"; a*1=b"),
        (b"", b"Content-Type: message/rfc822\r\n\r\n"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"--\r\n"),
        (
            b"".join(
                b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (b, b)
                for b in [b"-" * n for n in range(70, 20, -1)]
            ),
            b"-",
        ),
    ],
    ids=range(10),
)
def test_hostile_messages_take_linear_time_and_bounded_space(start: bytes, pump: bytes) -> None:
    def message(size: int) -> bytes:
        return start + pump * (size // len(pump))

    rendered = render(message(4_000_000))
    assert len(rendered.envelope) + len(rendered.bodystructure) < 3 * 1024 * 1024
    # where 50 KB doubled leaves the processor's cache, linear work alone grows by 2.3
    assert growth(message, render, 100_000) < MOST_GROWTH
