"""Conversations line by line: each file of `dialogues` is one connection to a maildrop of two messages."""

from pathlib import Path

import pytest

from tests.support.dialogues import names, play, read

from .world import CLIENT, Client, Pop3Service, dialogue

DIALOGUES = Path(__file__).parent / "dialogues"


def played(name: str) -> Pop3Service:
    _, lines = read(DIALOGUES / f"{name}.txt")

    async def talk(_world: Pop3Service, client: Client) -> None:
        await play(lines, client.reader, client.writer)

    return dialogue(talk, plaintext_logins=name != "no_tls")


@pytest.mark.parametrize("name", names(DIALOGUES))
def test_dialogue(name: str) -> None:
    assert played(name).store.holder is None


def test_quit_removes_what_is_marked_and_the_login_gave_a_grant() -> None:
    world = played("session")
    assert list(world.store.messages) == [11]
    assert [address for address, _ in world.auth.grants] == [CLIENT], "S2"


def test_without_tls_there_is_no_login() -> None:
    assert not played("no_tls").auth.grants
