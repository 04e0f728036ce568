"""Answers kept for a second: a burst of mail asks the same things of auth and mailstore again and again (decision 0025)."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from mailkit.batch import Batcher

Q = TypeVar("Q")
A = TypeVar("A")

#: Well under the 5 s within which a change has to be in force everywhere (docs/contract.md).
SECONDS = 1.0
#: Answers in memory at most; when there are more, all are forgotten.
MOST = 20_000


class AnswerCache(Generic[Q, A]):
    """`ask` of a Batcher, with a memory. Only answers that `keeps` says yes to stay in it; errors never do.

    `key`: what of the question the answer depends on. `clock`: seconds, monotonic.
    """

    def __init__(
        self,
        batch: Batcher[Q, A],
        *,
        key: Callable[[Q], Hashable],
        keeps: Callable[[A], bool] = lambda answer: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batch = batch
        self._key = key
        self._keeps = keeps
        self._clock = clock
        self._known: dict[Hashable, tuple[float, A]] = {}

    async def ask(self, question: Q) -> A:
        """The answer to `question`, at most a second old. Raises what the Batcher's `send` raises."""
        key, now = self._key(question), self._clock()
        known = self._known.get(key)
        if known is not None and now < known[0]:
            return known[1]
        answer = await self._batch.ask(question)
        if self._keeps(answer):
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (now + SECONDS, answer)  # from when it was asked: that is how old it may be
        else:
            self._known.pop(key, None)
        return answer
