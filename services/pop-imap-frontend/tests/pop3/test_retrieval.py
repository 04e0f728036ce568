"""RETR: byte-stuffing, and messages read ahead of a client that retrieves them in order."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.errors import Unavailable
from pop_imap_frontend.pop3.octets import Stuffing, stuffed

from .world import Client, Pop3Service, dialogue


@pytest.mark.parametrize("sizes", [[1], [2, 3], [5, 1, 1], [100]])
def test_dots_are_doubled_whatever_the_pieces(sizes: list[int]) -> None:
    for raw in (b".a\r\n..\r\n.\r\n", b"a\r\n\r\n.", b"\r\n.x\r.\n.", b"\n.\r\n", b"", b"\r", b"...\r\r\n."):
        stuffing, got, at = Stuffing(), b"", 0
        for size in itertools.cycle(sizes):
            if at >= len(raw):
                break
            got += stuffing.add(raw[at : at + size])
            at += size
        expected = (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:]
        expected += b".\r\n" if raw.endswith(b"\r\n") or not raw else b"\r\n.\r\n"
        assert got + stuffing.end() == expected


@given(st.binary(max_size=400) | st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"\n", b"\r"])).map(b"".join))
def test_dots_doubled_and_taken_away_again(raw: bytes) -> None:
    """A client that un-stuffs as RFC 1939 3 says gets the message back, plus an end of line if it had none."""
    wire = stuffed(raw)
    assert wire.endswith(b".\r\n")
    lines = wire.split(b"\r\n")
    end = lines.index(b".")
    assert end == len(lines) - 2, "nothing inside looks like the end"
    back = b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines[:end])
    assert back == (raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n")


def _many(count: int, octets: int = 1000) -> dict[int, bytes]:
    return {uid: b"Subject: %d\r\n\r\n" % uid + b"x" * octets + b"\r\n" for uid in range(1, count + 1)}


async def _retrieve(client: Client, number: int) -> str:
    await client.say(f"RETR {number}", "+OK")
    subject = (await client.reader.readline()).decode().strip()
    while await client.reader.readline() != b".\r\n":
        pass
    return subject


def test_a_maildrop_read_from_front_to_back_is_read_ahead_in_few_calls() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        world.store.messages = _many(40)
        await client.log_in()
        for number in range(1, 41):
            assert await _retrieve(client, number) == f"Subject: {number}"
        assert world.store.read_ahead_calls == 3
        for number in (7, 3, 9):  # out of order: each for itself
            assert await _retrieve(client, number) == f"Subject: {number}"
        assert world.store.read_ahead_calls == 3

    dialogue(talk)


def test_reading_ahead_leaves_out_what_is_marked_gone_or_large() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        world.store.messages = _many(6) | {4: _many(1, 100_000)[1]}
        await client.log_in()
        assert await _retrieve(client, 1) == "Subject: 1"
        await client.say("DELE 3", "+OK")
        assert await _retrieve(client, 2) == "Subject: 2"
        await client.say("RETR 3", "-ERR")
        assert await _retrieve(client, 4) == "Subject: 1"  # the large one, alone
        world.store.trouble["ahead"] = [Unavailable("away")]
        assert await _retrieve(client, 5) == "Subject: 5"
        del world.store.messages[6]
        await client.say("RETR 6", "-ERR")

    dialogue(talk)
