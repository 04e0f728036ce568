"""Lists with a pace."""

import asyncio
from collections.abc import Sequence

from mailkit.batch import Batcher


async def test_spaced_lists_hold_what_came_meanwhile_and_the_first_goes_at_once() -> None:
    lists: list[list[int]] = []

    async def send(items: Sequence[int]) -> Sequence[int]:
        lists.append(list(items))
        return items

    batch: Batcher[int, int] = Batcher(send, spacing=0.05)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await batch.ask(0)
    assert loop.time() - started < 0.05
    await asyncio.gather(*(batch.ask(number) for number in range(1, 9)))
    assert lists == [[0], list(range(1, 9))]
    assert loop.time() - started >= 0.05
