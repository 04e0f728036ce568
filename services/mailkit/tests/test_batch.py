"""Lists with a pace."""

import asyncio
from collections.abc import Sequence

import pytest

from mailkit.batch import Batcher
from mailkit.errors import Unavailable


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


async def test_patience_counts_the_time_in_line_too() -> None:
    hangs = asyncio.Event()

    async def send(items: Sequence[int]) -> Sequence[int]:
        await hangs.wait()
        return items

    batch: Batcher[int, int] = Batcher(send, most=1, patience=0.1)
    loop = asyncio.get_running_loop()
    started = loop.time()
    answers = await asyncio.gather(*(batch.ask(number) for number in range(3)), return_exceptions=True)
    assert loop.time() - started < 0.2
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    hangs.set()
    await batch.idle()
    assert await batch.ask(7) == 7


async def test_a_time_out_of_the_work_itself_is_told_as_it_is() -> None:
    async def send(items: Sequence[int]) -> Sequence[int]:
        raise TimeoutError("inside")

    batch: Batcher[int, int] = Batcher(send)
    with pytest.raises(TimeoutError, match="inside"):
        await batch.ask(1)


@pytest.mark.parametrize("patience", [None, 30.0])
async def test_lists_go_on_without_askers_who_left(patience: float | None) -> None:
    goes, lists = asyncio.Event(), []

    async def send(items: Sequence[int]) -> Sequence[int]:
        lists.append(list(items))
        await goes.wait()
        return items

    batch: Batcher[int, int] = Batcher(send, most=4, patience=patience)
    askers = [asyncio.ensure_future(batch.ask(number)) for number in range(8)]
    while not lists:
        await asyncio.sleep(0)
    askers[1].cancel()  # on its way
    askers[6].cancel()  # still in line
    goes.set()
    answers = await asyncio.gather(*askers, return_exceptions=True)
    assert lists == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [answer for answer in answers if isinstance(answer, int)] == [0, 2, 3, 4, 5, 7]
