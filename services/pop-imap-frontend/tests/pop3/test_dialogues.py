"""Conversations line by line: each file of `dialogues` is one connection to a maildrop of two messages.

`C:` is a line of the client and `S:` one of the server; `␣` is a space, `(empty)` an empty line, `(end)` the end of the
connection.
"""

from pathlib import Path

import pytest

from .world import CLIENT, Client, World, dialogue

DIALOGUES = Path(__file__).parent / "dialogues"


def play(name: str) -> World:
    title, empty, *lines = (DIALOGUES / f"{name}.txt").read_text().splitlines()
    assert title.startswith("# ") and not empty

    async def talk(world: World, client: Client) -> None:
        for line in lines:
            side, text = line[:3], line[3:].replace("␣", " ")
            if side == "C: ":
                client.writer.write(text.encode() + b"\r\n")
            else:
                assert side == "S: ", line
                got = (await client.line()).decode()
                assert got == {"(empty)": "\r\n", "(end)": ""}.get(text, text + "\r\n"), line
        if lines[-1] != "S: (end)":
            client.writer.write_eof()
            assert await client.reader.read() == b""

    return dialogue(talk, plaintext_logins=name != "no_tls")


@pytest.mark.parametrize("name", sorted(file.stem for file in DIALOGUES.iterdir()))
def test_dialogue(name: str) -> None:
    assert play(name).store.holder is None


def test_quit_removes_what_is_marked_and_the_login_gave_a_grant() -> None:
    world = play("session")
    assert list(world.store.messages) == [11]
    assert [address for address, _ in world.auth.grants] == [CLIENT], "S2"


def test_without_tls_there_is_no_login() -> None:
    assert not play("no_tls").auth.grants
