"""Conversations line by line: each file of `dialogues` is one connection, over real sockets."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from auth_api.wire import Login, LoginAnswer, RecipientAnswer, SenderAnswer, SenderQuestion
from mailstore_api.wire import RoomQuestion
from tests.support.dialogues import names, play, read
from tests.support.gateway import Services, context, serve

DIALOGUES = Path(__file__).parent / "dialogues"
SETTINGS: dict[str, dict[str, Any]] = {
    "many_errors": {"smtp_hard_errors": 3, "smtp_error_seconds": 0},
    "no_tls": {"smtp_plaintext_auth": False},
    "strict": {"smtp_strict": True},
}
"""The settings of the files of these names, beside the tests' own."""


class DialogueServices(Services):
    """One local domain, here.test, with some addresses that are refused; the password is `secret`."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = {
            "no@here.test": RecipientAnswer("no_mailbox", []),
            "loop@here.test": RecipientAnswer("loop", []),
            "often@far.test": RecipientAnswer("too_many", []),
        }

    async def senders(self, items: Sequence[SenderQuestion]) -> list[SenderAnswer]:
        answers = await super().senders(items)
        refused = SenderAnswer(True, False, None)
        return [refused if q.mail_from == "spam@far.test" else a for q, a in zip(items, answers, strict=True)]

    async def logins(self, items: Sequence[Login]) -> list[LoginAnswer]:
        answers = await super().logins(items)
        return [a if q.password == "secret" else LoginAnswer("refused") for q, a in zip(items, answers, strict=True)]

    async def room(self, items: Sequence[RoomQuestion]) -> list[str]:
        return ["full" if item.size == 4711 else "room" for item in items]


def masked(line: str) -> str:
    return re.sub(r"queued as [0-9a-f]{32}", "queued as ID", line)


@pytest.mark.parametrize("name", names(DIALOGUES))
def test_dialogue(name: str) -> None:
    _, lines = read(DIALOGUES / f"{name}.txt")
    world = DialogueServices()

    async def client(connect: Any) -> None:
        reader, writer = await connect()
        await play(lines, reader, writer, masked)
        writer.close()

    serve(client, lambda: context(world, **{"smtp_soft_errors": 100, "smtp_hard_errors": 100} | SETTINGS.get(name, {})))
    assert len(world.taken) == sum("queued as" in line for line in lines)
