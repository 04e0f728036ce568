"""Any bytes: nothing raises, what is sent is an IMAP list, what is stored lies within the body."""

import re

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from mailstore.mime import body_text, header_fields, render, search, section
from mailstore.mime.compared import compared
from mailstore.mime.sections import MESSAGE, unpack
from tests.support.mime_samples import ADDRESSES, TEXTS, TYPES, corpus, generate

_TOKENS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"--",
    b"--b",
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"b",
    b":",
    b";",
    b"=",
    b'"',
    b"\\",
    b"(",
    b")",
    b"<",
    b">",
    b"@",
    b",",
    b".",
    b"[",
    b"]",
    b"/",
    b"*0*=",
    b"\0",
    b"\xff",
    b"\xc3\xb6",
    b"=?utf-8?q?",
    b"?=",
    b"a",
    b"From: ",
    b"To: ",
    b"Subject: ",
    b"Date: ",
    b"Content-Type: ",
    b"multipart/mixed; boundary=b",
    b"message/rfc822",
    b"text/plain",
    b"MIME-Version: 1.0\r\n",
    b"Content-Disposition: ",
    b"Content-Language: ",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"1 Jan 2020 1:1",
]
_messages = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(_TOKENS), max_size=60).map(b"".join),
    st.lists(st.sampled_from(ADDRESSES + TEXTS + TYPES + _TOKENS), max_size=30).map(b"".join),
    st.builds(
        lambda seed, at, junk: (m := generate(seed))[: at % (len(m) + 1)] + junk + m[at % (len(m) + 1) :],
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(_TOKENS),
    ),
)
_PIECE = re.compile(rb'\(|\)| |NIL(?=[ )])|\d+(?=[ )])|"(?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*"|\{(\d+)\}\r\n')


def _assert_list(data: bytes) -> None:
    """One parenthesised list of strings, literals, numbers, NIL and lists, to the last byte."""
    pos = depth = 0
    while pos < len(data):
        piece = _PIECE.match(data, pos)
        assert piece, data[pos : pos + 60]
        pos = piece.end() + int(piece[1] or 0)
        depth += {b"(": 1, b")": -1}.get(piece[0], 0)
        assert depth > 0 or pos == len(data), data
    assert depth == 0 and data.startswith(b"(")


def _check(message: bytes) -> None:
    rendered = render(message)
    assert rendered == render(bytes(bytearray(message)))
    for sent in (rendered.envelope, rendered.body, rendered.bodystructure):
        _assert_list(sent)
    rows = unpack(rendered.parts)
    assert 0 <= rendered.header_len == rows[0].header_len <= len(message)
    assert (rows[0].header, rows[0].body, rows[0].body + rows[0].body_len) == (0, rendered.header_len, len(message))
    for index, row in enumerate(rows):
        assert row.body == row.header + row.header_len
        assert row.body + row.body_len <= len(message)
        if row.kind == MESSAGE:
            assert rows[index + 1].depth == row.depth + 1
            assert rows[index + 1].header == row.body
    found, keys = rendered.compared, rendered.compared.keys
    texts = [each for each in msgspec.structs.astuple(keys) if isinstance(each, str)]
    for text in (found.subject, found.from_, found.to, found.cc, found.bcc, *texts):
        text.encode()
        assert "\0" not in text
    shown = compared(rendered.envelope)
    assert (shown.sent_at, shown.from_, shown.to) == (found.sent_at, found.from_, found.to)
    assert msgspec.structs.replace(shown.keys, references=keys.references) == keys
    body_text(message, rendered.parts).encode()
    search.text_contains(message, rendered.parts, "ö\0nothing")
    header_fields(message[: rendered.header_len], [b"from"], not_=True)
    search.header_contains(message[: rendered.header_len], "subject", "x")


@settings(max_examples=600)
@given(_messages)
def test_any_message(message: bytes) -> None:
    _check(message)


def test_all_samples() -> None:
    for message in corpus():
        _check(message)


@settings(max_examples=200)
@given(
    _messages, st.one_of(st.text(max_size=30), st.from_regex(r"(\d{1,2}\.){0,4}(\d|MIME|HEADER|TEXT)", fullmatch=True))
)
def test_any_section(message: bytes, spec: str) -> None:
    parts = render(message).parts
    found = section(parts, spec)
    for at, size in found.ranges if found else ():
        assert 0 <= at <= at + size <= len(message)
    section(message, spec)
