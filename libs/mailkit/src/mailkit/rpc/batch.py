"""Group commit (decision 3): a batch is what was queued while the last one was under way. No item waits for a timer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from mailkit.errors import PostriderError, Unavailable, concerns_all

Q = TypeVar("Q")
A = TypeVar("A")


async def send_apart(send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], items: Sequence[Q]) -> list[A | Exception]:
    """Send `items` and return the answer to each, or the error of that item (docs/decisions/0029).

    `send` gets the whole list. If it fails, items that the error names (`PostriderError.items`) are set aside and the rest is
    sent; a rest that fails again, and a list of which no item is named, is sent in halves, until each item at fault is alone.
    An error that concerns every item ends this: all items without an answer get that error.

    `send` must be idempotent: an item is sent at most 2 log2(n) + 2 times, in at most 3 n calls for n items.
    """
    found: dict[int, A | Exception] = {}
    parts: list[tuple[Sequence[int], bool]] = [(range(len(items)), True)]
    while parts:
        part, whole = parts.pop()
        try:
            answers = await send(items if len(part) == len(items) else [items[n] for n in part])
            if len(answers) != len(part):
                raise RuntimeError(f"{len(answers)} answers to {len(part)} questions")
        except Exception as error:
            if concerns_all(error):
                return [found.get(n, error) for n in range(len(items))]
            blamed = _blamed(error, len(part))
            found.update((part[n], error) for n in blamed)
            rest = [each for n, each in enumerate(part) if n not in blamed]
            if blamed and whole:
                parts.append((rest, False))
            else:
                middle = len(rest) // 2
                parts += (rest[middle:], True), (rest[:middle], True)
            parts = [(each, flag) for each, flag in parts if each]
        else:
            if len(part) == len(items):
                return list(answers)
            found.update(zip(part, answers, strict=True))
    return [found[n] for n in range(len(items))]


def _blamed(error: Exception, count: int) -> set[int]:
    """Return the positions, in a list of `count`, that `error` names; a single item is always at fault."""
    if count == 1:
        return {0}
    return {n for n in error.items if 0 <= n < count} if isinstance(error, PostriderError) else set()


class Pace:
    """Spaces turns at least `spacing` seconds apart; after a longer pause the next begins at once."""

    def __init__(self, spacing: float) -> None:
        self._spacing = spacing
        self._next = 0.0

    async def wait(self) -> None:
        """Wait until the next turn may begin."""
        if not self._spacing:
            return
        loop = asyncio.get_running_loop()
        pause = self._next - loop.time()
        self._next = max(self._next, loop.time()) + self._spacing
        if pause > 0:
            await asyncio.sleep(pause)


class Batcher(Generic[Q, A]):
    """Collects single questions into list calls and gives each caller its own answer.

    `send` gets at most `most` items of at most `most_bytes` by `size`, and returns one answer per item in order; what it
    raises is raised to the callers whose items are at fault, as `send_apart` finds them. At most `flights` lists are under
    way at once. `spacing`: least time, in seconds, between the starts of two lists, for work that no caller waits for; under
    load it makes lists longer. `patience`: deadline of a caller in seconds, queued and for the answer; then Unavailable.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int = 100,
        most_bytes: int = 8 * 1024 * 1024,
        size: Callable[[Q], int] = lambda item: 0,
        flights: int = 1,
        spacing: float = 0.0,
        patience: float | None = None,
    ) -> None:
        self._send = send
        self._most = most
        self._most_bytes = most_bytes
        self._size = size
        self._free = flights
        self._pace = Pace(spacing)
        self._patience = patience
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, item: Q) -> A:
        """Send `item` in a list and return its answer. Cancellation takes a queued item back; a list under way goes on."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._waiting.append((item, answer))
        self._launch()
        if self._patience is None:
            return await answer
        timer = loop.call_later(self._patience, self._lose_patience, answer)
        try:
            return await answer
        finally:
            timer.cancel()

    def _lose_patience(self, answer: asyncio.Future[A]) -> None:
        if not answer.done():
            answer.set_exception(Unavailable(f"no answer in {self._patience:g} s"))

    @property
    def waiting(self) -> int:
        """Number of items that are queued, not yet sent."""
        return len(self._waiting)

    async def idle(self) -> None:
        """Wait until nothing is queued or under way (drain)."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _launch(self) -> None:
        if self._free and self._waiting:
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._pace.wait()
                if batch := self._take():  # empty if another flight took the items or their callers are gone
                    await self._flush(batch)
        finally:
            self._free += 1

    def _take(self) -> list[tuple[Q, asyncio.Future[A]]]:
        """Take the next list from the queue, without items whose callers were cancelled or timed out."""
        batch: list[tuple[Q, asyncio.Future[A]]] = []
        total = 0
        while self._waiting and len(batch) < self._most:
            entry = self._waiting.popleft()
            if entry[1].done():
                continue
            total += self._size(entry[0])
            if batch and total > self._most_bytes:
                self._waiting.appendleft(entry)
                break
            batch.append(entry)
        return batch

    async def _flush(self, batch: list[tuple[Q, asyncio.Future[A]]]) -> None:
        answers = await send_apart(self._send, [item for item, _ in batch])
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
                future.exception()  # marks it retrieved: a cancelled caller must not cause a warning
            else:
                future.set_result(answer)
