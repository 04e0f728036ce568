"""Lines that no client should send, or not so early: pipelining, half-closes, STLS, junk."""

import asyncio
import ssl

from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.testing.speed import patient

from .world import CA, TWO, Client, Pop3Service, dialogue


def test_pipelined_in_one_packet() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        client.writer.write(b"USER user@site.example\r\nPASS  pass word \r\nSTAT\r\nDELE 1\r\nQUIT\r\n")
        await client.hear("+OK", "+OK", "+OK 2 60", "+OK", "+OK", "")

    assert list(dialogue(talk).store.messages) == [12]


def test_a_plain_half_close_still_gets_its_answers() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        client.writer.write(b"USER user%site.example\r\nPASS  pass word \r\nDELE 2\r\nQUIT\r\n")
        client.writer.write_eof()
        await client.hear("+OK", "+OK", "+OK", "+OK", "")

    assert list(dialogue(talk).store.messages) == [11]


def test_stls_forgets_what_was_sent_ahead() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        client.writer.write(b"STLS\r\nCAPA\r\nUSER user@site.example\r\n")
        await client.hear("+OK begin TLS")
        trusting = ssl.create_default_context()
        CA.configure_trust(trusting)
        await client.writer.start_tls(trusting, server_hostname="localhost")
        await client.say("PASS  pass word ", "-ERR USER first")
        await client.say("STLS", "-ERR TLS is already active")
        await client.log_in()
        await client.say("STLS", "-ERR not allowed in this state")
        await client.say("QUIT", "+OK")

    dialogue(talk, plaintext_logins=False)


def test_too_long_a_line_and_binary_junk_keep_the_dialogue_in_step() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        await client.say("NOOP " + "x" * 300, "-ERR line too long")
        client.writer.write(b"x" * 200_000 + b"\r\n")
        await client.hear("-ERR line too long")
        client.writer.write(b"\xff\x00\xfe junk\r\n\r\n")
        await client.hear("-ERR unknown command", "-ERR unknown command")
        await client.say("AUTH PLAIN", "+ ")
        await client.say("x" * 5000, "-ERR line too long")
        await client.say("QUIT", "+OK", "")

    dialogue(talk)


@settings(max_examples=60)
@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from(
            [
                b"USER user@site.example",
                b"PASS  pass word ",
                b"AUTH PLAIN",
                b"STAT",
                b"LIST 1",
                b"UIDL",
                b"RETR 1",
                b"TOP 2 0",
                b"DELE 1",
                b"RSET",
                b"CAPA",
                b"NOOP",
                b"*",
            ]
        ),
        max_size=25,
    )
)
def test_any_conversation_is_survived(lines: list[bytes]) -> None:
    """Whatever is sent: every status line is +OK, -ERR or a challenge, and nothing goes away without QUIT."""

    async def talk(world: Pop3Service, client: Client) -> None:
        client.writer.write(
            b"".join(line.replace(b"QUIT", b"") + b"\r\n" for line in lines if b"STLS" not in line.upper())
        )
        client.writer.write_eof()
        await asyncio.wait_for(client.reader.read(), patient(12))

    world = dialogue(talk)
    if not any(line.strip().upper() == b"QUIT" for raw in lines for line in raw.split(b"\n")):
        assert world.store.messages == TWO
    assert world.store.holder is None
