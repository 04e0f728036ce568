"""Every end of a session: messages are removed by QUIT only, and the lock is released (RFC 1939 6)."""

import asyncio
from uuid import UUID

import pytest

from mailkit.errors import Unanswered, Unavailable
from mailkit.testing.speed import patient

from .world import Client, Pop3Service, dialogue


@pytest.mark.parametrize("end", ["cut", "idle", "account", "lease", "drain"])
def test_without_quit_nothing_is_removed_and_the_lock_is_freed(end: str) -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        await client.log_in()
        await client.say("DELE 1", "+OK")
        session = world.sessions[0]
        if end == "cut":
            client.writer.transport.abort()
        elif end == "idle":
            await client.hear("")
        elif end == "account":
            world.mailbox.credential_version += 1
            await world.watch.recheck()
            await client.hear("-ERR [SYS/TEMP] the account was changed", "")
        elif end == "lease":
            world.store.holder = UUID(int=5)
            await world.leases.renew()
            await client.hear("-ERR [SYS/TEMP] the maildrop's lock was lost", "")
            world.store.holder = None
        else:
            await session.end_with_jitter(0.01)
            await client.hear("-ERR [SYS/TEMP] server is going down", "")

    world = dialogue(talk, idle_seconds=0.3 if end == "idle" else 600)
    assert list(world.store.messages) == [11, 12]
    assert world.store.holder is None


@pytest.mark.parametrize("away", [1, 3, 4])
def test_a_lock_that_mailstore_could_not_take_back_is_tried_again(away: int) -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        await client.log_in()
        world.store.trouble["close"] = [Unavailable("away")] * away
        client.writer.close()
        async with asyncio.timeout(patient(10)):
            while len(world.store.trouble["close"]) == away:
                await asyncio.sleep(0.01)
        for left in range(away - 2, -2, -1):
            assert world.store.holder is not None
            await world.leases.renew()
            assert len(world.store.trouble["close"]) == max(left, 0)

    assert (dialogue(talk).store.holder is None) is (away < 4)  # after that the lease has run out


def test_a_drained_session_may_still_quit() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        await client.log_in()
        await client.say("DELE 1", "+OK")
        ending = asyncio.ensure_future(world.sessions[0].end_with_jitter(5))
        await client.say("QUIT", "+OK", "")
        ending.cancel()

    assert list(dialogue(talk).store.messages) == [12]


def test_a_commit_in_hand_is_not_cut() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        world.store.before_close = lambda: world.sessions[0].end("server is going down")
        await client.log_in()
        await client.say("DELE 1", "+OK")
        await client.say("QUIT", "+OK", "")

    assert list(dialogue(talk).store.messages) == [12]


@pytest.mark.parametrize(
    ("trouble", "said", "left"),
    [
        (
            [Unavailable("away")],
            "-ERR [SYS/TEMP] the mail store cannot be reached, messages were not removed",
            [11, 12],
        ),
        ([Unanswered("cut")], "+OK", [12]),
        ([Unanswered("cut")] * 2, "-ERR [SYS/TEMP] the mail store did not say", [12]),
        ([Unanswered("cut"), Unavailable("away")], "-ERR [SYS/TEMP] the mail store did not say", [12]),
    ],
)
def test_quit_says_ok_only_when_it_is_so(trouble: list[Exception], said: str, left: list[int]) -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        await client.log_in()
        await client.say("DELE 1", "+OK")
        world.store.trouble["close"] = trouble
        await client.say("QUIT", said, "")

    assert list(dialogue(talk).store.messages) == left
