"""Answers kept for a second: which, for how long, and never a refusal."""

from collections.abc import Sequence

import pytest

from mailkit.errors import Unavailable
from mailkit.rpc.batch import Batcher
from smtp_gateway.policy import answer_cache
from smtp_gateway.policy.answer_cache import AnswerCache


class Upstream:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now = 100.0
        self.away = False

    async def send(self, items: Sequence[str]) -> list[str]:
        if self.away:
            raise Unavailable("away")
        self.asked += items
        return [item.upper() for item in items]

    def clock(self) -> float:
        return self.now

    def remembered(self) -> AnswerCache[str, str]:
        return AnswerCache(Batcher(self.send), key=str, keeps=lambda answer: answer != "NO", clock=self.clock)


async def test_an_answer_is_asked_for_once_a_second() -> None:
    there = Upstream()
    room = there.remembered()
    assert [await room.ask("a"), await room.ask("a"), await room.ask("b")] == ["A", "A", "B"]
    assert there.asked == ["a", "b"]
    there.now += answer_cache.SECONDS
    assert await room.ask("a") == "A"
    assert there.asked == ["a", "b", "a"]


async def test_a_refusal_is_asked_for_each_time() -> None:
    there = Upstream()
    room = there.remembered()
    assert [await room.ask("no"), await room.ask("no")] == ["NO", "NO"]
    assert there.asked == ["no", "no"]


async def test_a_service_that_is_away_is_an_error_and_is_asked_again() -> None:
    there = Upstream()
    room = there.remembered()
    there.away = True
    with pytest.raises(Unavailable):
        await room.ask("a")
    there.away = False
    assert await room.ask("a") == "A"


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_cache, "MOST", 3)
    there = Upstream()
    room = there.remembered()
    for item in "abcdef":
        await room.ask(item)
    assert len(room._known) <= 3
