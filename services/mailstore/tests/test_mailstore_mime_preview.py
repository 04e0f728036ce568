"""PREVIEW (RFC 8970 3.3): which part gives the text, how it is decoded and shortened, and that it is one pass over bounded octets."""

import pytest

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore.mime import render
from mailstore.mime.preview import CHARACTERS, CONTENT, MOST_PARTS, html_text, octets, preview, text_parts


def of(raw: bytes) -> str:
    for row in text_parts(render(raw).parts):
        start, length = octets(row)
        if text := preview(row, raw[start : start + length]):
            return text
    return ""


def multi(kind: str, *parts: str) -> bytes:
    inner = "".join(f"--b\r\n{part}\r\n" for part in parts)
    return f"MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary=b\r\n\r\n{inner}--b--\r\n".encode()


HTML = "Content-Type: text/html\r\n\r\n<p>rich &amp; <b>bo</b>ld</p>"
PLAIN = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nna=EFve =\r\ntext"
FILE = "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=x\r\n\r\nattached"
PICTURE = "Content-Type: image/png\r\n\r\nx"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"Subject: x\r\n\r\n  Hello,\r\n\r\n\tyou  there \r\n", "Hello, you there"),
        (b"Subject: x\r\n\r\n", ""),
        (b"no header at all", ""),
        (multi("alternative", PLAIN, HTML), "na\u00efve text"),
        (multi("mixed", FILE, HTML, PLAIN), "rich & bold"),
        (multi("mixed", PICTURE, "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR"), ""),
        (multi("encrypted", "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1", PICTURE), ""),
        (b"MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime\r\n\r\nMIIB", ""),
        (b"Subject: x\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEM", ""),
        (multi("mixed", "Content-Type: text/plain\r\n\r\n \r\n", HTML), "rich & bold"),
        (multi("mixed", *["Content-Type: text/plain\r\n\r\n"] * MOST_PARTS, HTML), ""),
        (
            b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            b"R3LDvMOfZSAgaG9tZQ==\r\n",
            "Gr\u00fc\u00dfe home",
        ),
        (b"Subject: x\r\n\r\n> quoted\r\n> more\r\nAgreed.\r\n", "Agreed."),
        (b"Subject: x\r\n\r\n> only quoted\r\n", "> only quoted"),
        (b"Subject: x\r\n\r\na\x00b\x07c \xe2\x80\xaed\r\n", "abc d"),
        (multi("mixed", "Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nforwarded"), "forwarded"),
    ],
)
def test_preview(raw: bytes, shown: str) -> None:
    assert of(raw) == shown


def test_a_preview_has_200_characters_of_any_script() -> None:
    assert of(b"Subject: x\r\n\r\n" + "\u65e5\u672c".encode() * 500) == "\u65e5\u672c" * (CHARACTERS // 2)
    assert of(b"Subject: x\r\n\r\n" + b" " * 9000 + b"x" * 500) == "x" * CHARACTERS
    assert of(b"x: " + b"y" * 70_000 + b"\r\n\r\ntext") == ""  # no header of that length is read


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<head><title>t</title><style>p > a {}</style></head><p>one<p>two", "one two"),
        ("<!-- no <b> --><div>a</div><DIV>b</DIV>c<br/>d", "a b c d"),
        ("1 < 2 <3 <b>x</b>y &lt;tag&gt; &#9731;", "1 < 2 <3 xy <tag> \u2603"),
        ("<SCRIPT>if (a<b) '</p>'</Script >shown", "shown"),
        ("<script>never ended <p>x", ""),
        ("text <a href='", "text"),
        ("<?xml version='1.0'?><!DOCTYPE html>x", "x"),
    ],
)
def test_html(html: str, text: str) -> None:
    assert " ".join(html_text(html).split()) == text


@pytest.mark.parametrize("unit", ["<", "<!--x-->", "<script>", "<b ", "&"])
def test_html_is_read_in_one_pass_and_for_few_pieces(unit: str) -> None:
    assert growth(lambda n: unit * (n // len(unit)), html_text, CONTENT // 4) < MOST_GROWTH
    assert len(html_text("<" * CONTENT)) < CONTENT / 10
