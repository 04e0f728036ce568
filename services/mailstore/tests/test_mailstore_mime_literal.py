"""What a look at the octets says of a search is what their decoded texts say."""

import random

import pytest

from mailstore.mime import render
from mailstore.mime.literal import as_written, lacks
from mailstore.mime.search import Searched, fold
from mailstore.mime.text import texts
from tests.support import mime_samples

PREFIX = b"Return-Path: <bounce@far.test>\r\n"
HEAD = b"Subject: a word\r\nX-Folded: one\r\n\ttwo\r\nX-Space : three\r\n"


def answers(message, parts, keys, *, look):
    """All keys for one message; without `look`, only its decoded texts are asked."""
    found = Searched(message, parts, PREFIX)
    if not look:
        found._lacks = lambda folded: False
    return [
        (key, found.text_contains(key), found.body_contains(key), found.header_contains("subject", key)) for key in keys
    ]


def keys_of(message, parts, chance):
    """Words and pieces of the message's octets and of its texts, and some that it has not."""
    pieces = [message.decode("latin-1"), *texts(message, parts, with_header=True)]
    keys = ["", "zzzz", "a", ": ", "\r\n", "ﬁ", "K", "subject:", "bounce", "=?", "one two", "one\ttwo"]
    for piece in pieces:
        for _ in range(6):
            at = chance.randrange(len(piece) + 1)
            keys.append(piece[at : at + chance.randint(1, 9)])
        keys += chance.sample(piece.split(), min(4, len(piece.split())))
    return keys


def test_a_look_at_the_octets_changes_no_answer():
    chance = random.Random(5)
    messages = [HEAD + each for each in mime_samples.structures()]
    messages += [mime_samples.generate(seed) for seed in range(200)]
    messages += [mime_samples.ordinary(number) for number in range(100)]
    decided = 0
    for message in messages:
        parts = render(message).parts
        keys = keys_of(message, parts, chance)
        assert answers(message, parts, keys, look=True) == answers(message, parts, keys, look=False), message
        written = as_written(message, parts, PREFIX)
        decided += written is not None and lacks(written, "zzzz")
    assert decided > len(messages) // 10, "the look decides next to nothing"


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Type: text/plain; charset=utf-7",
        b"Content-Type: text/plain; charset = utf-7",
        b"Content-Type: text/plain; charset*=us-ascii''utf-7",
        b"Content-Type: text/plain; charset*0=utf; charset*1=-7",
        b'Content-Type: text/plain; charset="cp037"',
        b"Content-Type: text/plain; charset=utf-8; x=y\r\nX: charset=iso-2022-jp",
        b"Content-Transfer-Encoding: BASE64",
        b"Content-Transfer-Encoding: quoted-Printable",
        b"Subject: =?utf-8?q?a?=",
        b"Subject: \xc3\xa9",
        b"Subject: a\0b",
    ],
)
def test_what_may_be_encoded_is_decoded(field):
    message = field + b"\r\n\r\n+AGE-"
    assert as_written(message, render(message).parts) is None


@pytest.mark.parametrize("charset", [b"", b'; charset="UTF-8"', b"; CHARSET=us-ascii", b"; charset=iso-8859-15"])
def test_what_is_written_as_it_reads(charset):
    message = b"Content-Type: text/plain" + charset + b"\r\n\r\nHello\r\n"
    written = as_written(message, render(message).parts)
    assert written is not None
    assert lacks(written, fold("Goodbye")) and not lacks(written, fold("HELLO"))
    assert not lacks(written, "good bye"), "it may be folded between the words"


def test_attachments_are_not_looked_at():
    """Nor is their encoding of interest."""
    attached = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD"
    message = HEAD + mime_samples.multipart(b"b", b"Content-Type: text/plain\r\n\r\nhello", attached)
    written = as_written(message, render(message).parts)
    assert written is not None and "hello" in written and "base64" in written and "qujd" not in written
