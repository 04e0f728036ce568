"""A mailbox's budget: in order, bounded, given back whatever becomes of those who wait."""

import asyncio
import random
from uuid import UUID, uuid4

import pytest

from mailkit.errors import OverLimit
from mailkit.testing.speed import patient
from pop_imap_frontend.conversation import budget as module
from pop_imap_frontend.conversation.budget import Budget

A, B = uuid4(), uuid4()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_waits_in_order_and_other_mailboxes_do_not_notice() -> None:
    budget = Budget("commands", 10)
    assert await budget.take(A, 7) == 7
    large = asyncio.create_task(budget.take(A, 9))
    small = asyncio.create_task(budget.take(A, 1))
    await turns()
    assert not large.done() and not small.done()  # the small one does not pass the large one
    assert await budget.take(B, 10) == 10
    budget.give_back(A, 7)
    assert await large == 9 and await small == 1


async def test_more_than_the_limit_is_taken_alone() -> None:
    budget = Budget("literals", 10)
    assert await budget.take(A, 1000) == 10
    other = asyncio.create_task(budget.take(A, 1))
    await turns()
    assert not other.done()
    budget.give_back(A, 10)
    assert await other == 1


async def test_patience_and_the_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget("commands", 1, patience=0.05)
    await budget.take(A)
    with pytest.raises(OverLimit):
        await budget.take(A)
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    with pytest.raises(OverLimit):
        await budget.take(A)
    budget.give_back(A)
    await budget.take(A)


async def test_who_is_cancelled_lets_those_behind_pass() -> None:
    budget = Budget("commands", 10)
    await budget.take(A, 5)
    large, small = asyncio.create_task(budget.take(A, 9)), asyncio.create_task(budget.take(A, 1))
    await turns()
    large.cancel()
    assert await small == 1


async def test_commands_that_hold_something_do_not_wait_for_each_other() -> None:
    """Two MULTIAPPENDs, each with its second message: one of them goes on at once, and the other one after it."""
    budget = Budget("literals", 10)
    assert await budget.take(A, 4) == 4 and await budget.take(A, 5) == 5
    first = asyncio.create_task(budget.take(A, 6, held=4))
    await turns()
    assert not first.done(), "the other command may end"
    new = asyncio.create_task(budget.take(A, 1))
    assert await budget.take(A, 3, held=5) == 3 and await budget.take(A, 1, held=8) == 1
    await turns()
    assert not first.done() and not new.done()
    budget.give_back(A, 9)
    assert await first == 6
    await turns()
    assert not new.done()
    budget.give_back(A, 10)
    assert await new == 1


async def test_who_waits_behind_another_goes_on_when_nobody_else_will_end() -> None:
    budget = Budget("literals", 10)
    await budget.take(A, 3)
    await budget.take(A, 6)
    large = asyncio.create_task(budget.take(A, 9))
    more = asyncio.create_task(budget.take(A, 1, held=3))
    await turns()
    assert not large.done() and not more.done()
    budget.give_back(A, 6)
    assert await more == 1
    assert not large.done()
    large.cancel()
    budget.give_back(A, 4)
    assert budget._uses == {}


@pytest.mark.parametrize("seed", range(20))
async def test_all_commands_end_and_the_limit_is_exceeded_by_one_at_most(seed: int) -> None:
    chance = random.Random(seed)
    budget = Budget("literals", 32)
    taken = 0

    async def command() -> None:
        nonlocal taken
        held = 0
        while held < 10:
            amount = await budget.take(A, chance.randint(1, 10 - held), held=held)
            held += amount
            taken += amount
            assert taken <= 32 + 10
            await asyncio.sleep(0)
        taken -= held
        budget.give_back(A, held)

    async with asyncio.timeout(patient(20)):
        await asyncio.gather(*(command() for _ in range(20)))
    assert budget._uses == {}


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_lost_or_left(seed: int) -> None:
    chance = random.Random(seed)
    budget = Budget("commands", 7, patience=0.01)
    used = dict.fromkeys((A, B), 0)

    async def user(key: UUID) -> None:
        try:
            amount = await budget.take(key, chance.randint(1, 9))
        except OverLimit:
            return
        used[key] += amount
        assert used[key] <= 7
        try:
            await asyncio.sleep(chance.random() / 100)
        finally:
            used[key] -= amount
            budget.give_back(key, amount)

    tasks = [asyncio.create_task(user(chance.choice((A, B)))) for _ in range(40)]
    for task in tasks:
        await asyncio.sleep(0)
        if chance.random() < 0.3:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert budget._uses == {}
