"""A mailbox's budget: in order, bounded, given back whatever becomes of those who wait."""

import asyncio
import random
from uuid import UUID, uuid4

import pytest

from mailkit.errors import OverLimit
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
