"""Lists: their pace, and an item that fails alone (docs/decisions/0029)."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from mailkit.errors import BadRequest, Forbidden, NoSpace, PostriderError, Unanswered, Unauthorised, Unavailable
from mailkit.rpc.batch import Batcher, send_apart


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
    assert lists == [[0, 1, 2, 3], [4, 5, 7]]
    assert [answer for answer in answers if isinstance(answer, int)] == [0, 2, 3, 4, 5, 7]


class Log:
    """A list call that refuses lists with any of `bad` in them, and what it was asked."""

    def __init__(self, *bad: int, error: Callable[[list[int]], Exception] = lambda at: ValueError("bad")) -> None:
        self.bad = set(bad)
        self.error = error
        self.lists: list[list[int]] = []

    async def send(self, items: Sequence[int]) -> Sequence[int]:
        self.lists.append(list(items))
        if at := [n for n, item in enumerate(items) if item in self.bad]:
            raise self.error(at)
        return [-item for item in items]

    def times(self) -> int:
        """How often the item that was sent most was sent."""
        return max(Counter(item for each in self.lists for item in each).values())


@pytest.mark.parametrize("bad", [(), (0,), (99,), (41, 42), tuple(range(0, 100, 7)), tuple(range(100))])
@pytest.mark.parametrize("named", [0, 1, 100], ids=["unnamed", "one named", "all named"])
async def test_a_bad_item_fails_alone_with_bounded_work(bad: tuple[int, ...], named: int) -> None:
    call = Log(*bad, error=lambda at: BadRequest("bad", items=at[:named]))
    answers = await send_apart(call.send, range(100))
    assert [n for n, answer in enumerate(answers) if isinstance(answer, BadRequest)] == list(bad)
    assert [a for a in answers if not isinstance(a, Exception)] == [-n for n in range(100) if n not in bad]
    assert len(call.lists) <= 300 and call.times() <= 2 * math.log2(100) + 2


async def test_one_named_item_costs_one_more_call() -> None:
    call = Log(17, error=lambda at: BadRequest("bad", items=at))
    await send_apart(call.send, range(100))
    assert [len(each) for each in call.lists] == [100, 99]


@pytest.mark.parametrize("items", [(-1,), (100,), (10**9,)])
async def test_a_name_that_is_none_of_the_list_is_passed_over(items: tuple[int, ...]) -> None:
    call = Log(17, error=lambda _: BadRequest("bad", items=items))
    answers = await send_apart(call.send, range(100))
    assert [n for n, answer in enumerate(answers) if isinstance(answer, Exception)] == [17]


@pytest.mark.parametrize("kind", [Unavailable, Unanswered, NoSpace, Unauthorised, Forbidden])
async def test_what_concerns_all_is_told_to_all_and_asked_once(kind: type[PostriderError]) -> None:
    call = Log(5, error=lambda _: kind("all"))
    answers = await send_apart(call.send, range(100))
    assert [type(answer) for answer in answers] == [kind] * 100 and len(call.lists) == 1


async def test_a_service_that_goes_away_meanwhile_is_not_asked_on() -> None:
    call = Log(99)

    async def send(items: Sequence[int]) -> Sequence[int]:
        if len(call.lists) == 3:
            raise Unavailable("gone")
        return await call.send(items)

    answers = await send_apart(send, range(100))
    assert answers[:50] == [-n for n in range(50)]
    assert [type(answer) for answer in answers[50:]] == [Unavailable] * 50


async def test_too_few_answers_are_nobodys() -> None:
    async def send(items: Sequence[int]) -> Sequence[int]:
        return items[1:] if len(items) > 1 else [7]

    assert await send_apart(send, range(3)) == [7, 7, 7]


async def test_of_askers_who_share_a_list_only_one_hears_of_his_error() -> None:
    call = Log(3)
    batch: Batcher[int, int] = Batcher(call.send)
    answers = await asyncio.gather(*(batch.ask(n) for n in range(8)), return_exceptions=True)
    assert isinstance(answers[3], ValueError)
    assert [a for a in answers if not isinstance(a, BaseException)] == [0, -1, -2, -4, -5, -6, -7]
