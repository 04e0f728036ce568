"""Messages for clients without UTF8 (RFC 6856 2.1): the header's text as encoded words, everything else as it is."""

import itertools
from email import message_from_bytes
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from pop_imap_frontend.pop3.surrogate import MOST_HELD, Surrogate, surrogate

from .world import Client, Pop3Service, dialogue

BODY = "\r\n\r\nGr\u00fc\u00dfe: 8-bit\r\n".encode()


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("Subject: Zo\u00eb M\u00fcller und \u00c4", "Zo\u00eb M\u00fcller und \u00c4"),
        ("Subject: Zo\u00eb\r\n M\u00fcller", "Zo\u00eb M\u00fcller"),
        ("Subject: plain", "plain"),
        ("Subject: " + "\u00e4" * 200, "\u00e4" * 200),
        ("Subject: a\u00e4, b\u00e4", "a\u00e4, b\u00e4"),
    ],
)
def test_what_is_shown_is_the_same(field: str, shown: str) -> None:
    made = surrogate(field.encode() + BODY)
    head, _, body = made.partition(b"\r\n\r\n")
    assert head.isascii() and max(map(len, head.split(b"\r\n"))) <= 85
    assert body == BODY[4:]
    assert str(make_header(decode_header(message_from_bytes(made)["Subject"]))) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("From: Zo\u00eb <zo\u00eb@x.example>", b"From: =?utf-8?b?Wm/Dqw==?= <=?utf-8?b?em/Dqw==?=@x.example>"),
        ('From: "Zo\u00eb M." <z@x.example>', b'From: "=?utf-8?b?Wm/Dqw==?= M." <z@x.example>'),
        ("To: x\r\nSubject: \u00e4\r\n\u00e4: x", b"To: x\r\nSubject: =?utf-8?b?w6Q=?=\r\n=?utf-8?b?w6Q6?= x"),
    ],
)
def test_words_are_encoded_where_they_stand(text: str, expected: bytes) -> None:
    assert surrogate(text.encode() + BODY) == expected + BODY


@pytest.mark.parametrize(
    "raw", [b"Subject: \xe4 \xff" + BODY, b"\r\n\xc3\xa4", b"", b"\n\xc3\xa4", b"A: b\n\n\xc3\xa4", b"A: b\r\n"]
)
def test_what_is_left_alone(raw: bytes) -> None:
    assert surrogate(raw) == raw


@given(
    st.lists(st.sampled_from([b"\r\n", b"\n", b" ", b"A: b", "\u00e4".encode(), b"\xff", b"<", b"x"])).map(b"".join),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_pieces_make_no_difference_to_what_is_not_encoded(raw: bytes, sizes: list[int]) -> None:
    made, got, at = Surrogate(), b"", 0
    for size in itertools.cycle(sizes):
        if at >= len(raw):
            break
        got += made.add(raw[at : at + size])
        at += size
    got += made.end()
    assert got == surrogate(raw)


def test_a_header_without_end_is_not_held() -> None:
    made = Surrogate()
    sent = held = 0
    for _ in range(40):
        sent += len(made.add(b"x" * 8192))
        held = max(held, 40 * 8192 - sent)
    assert 40 * 8192 - sent <= MOST_HELD
    assert made.add(b"\r\n\r\n\xc3\xa4").endswith(b"\r\n\r\n\xc3\xa4")


@pytest.mark.parametrize(
    "make",
    [
        lambda n: b"Subject: " + b"\xc3\xa4" * n + BODY,
        lambda n: b"Subject: " + b"\xc3\xa4 " * n + BODY,
        lambda n: b"Subject: " + b"\xc3\xa4\r\n " * n + BODY,
        lambda n: b"\xff" * n,
        lambda n: b"\r\n " * n + b"\xc3\xa4",
    ],
)
def test_it_takes_linear_time(make) -> None:
    assert growth(make, surrogate, 20_000) < MOST_GROWTH


def test_retr_and_top_with_and_without_utf8() -> None:
    raw = "From: Zo\u00eb <z@x.example>\r\nSubject: x\r\n\r\n\u00e4\r\n".encode()
    ascii_form = b"From: =?utf-8?b?Wm/Dqw==?= <z@x.example>\r\nSubject: x\r\n\r\n\xc3\xa4\r\n"

    for utf8 in (False, True):

        async def talk(world: Pop3Service, client: Client, utf8: bool = utf8) -> None:
            world.store.messages = dict.fromkeys((1, 2, 3, 4), raw)
            if utf8:
                await client.say("UTF8", "+OK")
            await client.log_in()
            for command in ("RETR 1", "RETR 2", "RETR 3", "TOP 1 9"):  # the later ones are read ahead
                await client.say(command, "+OK")
                assert await client.reader.readuntil(b"\r\n.\r\n") == (raw if utf8 else ascii_form) + b".\r\n"

        dialogue(talk)


def test_names_and_passwords_that_saslprep_prohibits_are_refused() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        world.auth.mailboxes["user@site.example"].password = "gr\u00fcn"
        await client.say("USER \ue000", "-ERR [AUTH]")
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS \ue000", "-ERR [AUTH]")
        await client.say("USER user%site.example", "+OK")
        client.writer.write(b"PASS gr\xfcn\r\n")  # not UTF-8
        await client.hear("-ERR [AUTH]")
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS gr\u00fcn", "+OK")

    dialogue(talk)
