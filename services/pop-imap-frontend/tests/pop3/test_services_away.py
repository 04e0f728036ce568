"""Answers while auth or mailstore does not answer, refuses, or breaks off."""

import asyncio
import contextlib
from typing import Any

import pytest

from mailkit.errors import BadRequest, Conflict, InternalError, OverLimit, TooLarge, Unanswered, Unavailable, Unproven

from .world import Client, Pop3Service, dialogue


@pytest.mark.parametrize(
    ("who", "error"),
    [("auth", None), ("open", Unavailable("away")), ("open", Unanswered("cut")), ("read", Unavailable("x"))],
)
def test_a_service_that_is_away(who: str, error: Exception | None) -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        world.auth.away = who == "auth"
        if error is not None:
            world.store.trouble[who] = [error]
        if who == "read":
            await client.log_in()
            await client.say("RETR 1", "-ERR [SYS/TEMP]")
            await client.say("RETR 1", "+OK", "Subject: one")
            return
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")
        world.auth.away = False
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "+OK 2 messages")  # P4's minute was not begun
        await client.say("QUIT", "+OK", "")

    assert dialogue(talk).store.holder is None


def test_auth_that_goes_away_before_a_check_is_undone_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        async def away(operations: Any) -> list[bool]:
            raise Unavailable("away")

        monkeypatch.setattr(world.context.logins, "_undo_checks", away)
        world.store.trouble["open"] = [Unavailable("away")]
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [LOGIN-DELAY]", "")

    dialogue(talk)


def test_auth_that_never_answers_is_away_within_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pop_imap_frontend.conversation.logins.LOGIN_SECONDS", 0.3)

    async def talk(world: Pop3Service, client: Client) -> None:
        async def never(items: Any) -> Any:
            await asyncio.Event().wait()

        world.context.logins._client._passwords._send = never
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS x", "-ERR [SYS/TEMP]")

    dialogue(talk)


def test_a_message_that_an_imap_session_removed() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        await client.log_in()
        del world.store.messages[11]
        await client.say("RETR 1", "-ERR no such message")
        await client.say("NOOP", "+OK")

    dialogue(talk)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BadRequest("not a question"), "-ERR [SYS/PERM] "),
        (Conflict("twice"), "-ERR [SYS/PERM] "),
        (TooLarge("too large"), "-ERR [SYS/PERM] "),
        (InternalError("a bug"), "-ERR [SYS/TEMP] "),
        (OverLimit("too much"), "-ERR [SYS/TEMP] "),
        (Unproven("no proof"), "-ERR [SYS/TEMP] "),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("command", ["RETR 1", "TOP 1 0"])
def test_what_the_mail_store_refuses_for_good_is_final_for_the_client_too(
    command: str, error: Exception, said: str
) -> None:
    """RFC 3206: [SYS/PERM] where trying again cannot help, and the session goes on."""

    async def talk(world: Pop3Service, client: Client) -> None:
        await client.log_in()
        world.store.trouble["read"] = [error]
        await client.say(command, said)
        await client.say("STAT", "+OK 2")
        await client.say("RETR 1", "+OK", "Subject: one")

    dialogue(talk)


def test_a_message_that_breaks_off_ends_the_connection_and_not_the_message() -> None:
    """Half a message followed by a dot would be a whole one to the client, which then deletes it."""

    async def talk(world: Pop3Service, client: Client) -> None:
        world.store.messages = {1: b"Subject: long\r\n\r\n" + b"line\r\n" * 50}
        await client.log_in()
        world.store.trouble["line"] = [Unanswered("broke off")]
        client.writer.write(b"RETR 1\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"\r\n.\r\n" not in await client.reader.read()

    assert dialogue(talk).store.holder is None
