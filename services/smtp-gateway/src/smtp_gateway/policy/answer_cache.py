"""A cache of answers for one second: a burst of mail repeats the same questions to auth and mailstore (decision 0025)."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from mailkit.rpc.batch import Batcher

Q = TypeVar("Q")
A = TypeVar("A")

#: Lifetime of an answer, well below the 5 s within which a change must be in force everywhere (docs/contract.md).
SECONDS = 1.0
#: Limit of answers in memory; one more drops all others.
MOST = 20_000


class AnswerCache(Generic[Q, A]):
    """A cache in front of a Batcher.

    `keeps`: True for answers that may be cached; errors never are. `key`: the part of the question that the answer depends
    on. `clock`: monotonic seconds.
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
        """Return the answer to `question`, at most a second old. Raises what the Batcher raises."""
        key, now = self._key(question), self._clock()
        known = self._known.get(key)
        if known is not None and now < known[0]:
            return known[1]
        answer = await self._batch.ask(question)
        if self._keeps(answer):
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (now + SECONDS, answer)  # counted from the question: the answer may be that old already
        else:
            self._known.pop(key, None)
        return answer
