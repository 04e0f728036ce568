"""Octets of messages in memory for readers: bounded for a replica and shared among mailboxes (docs/decisions/0047)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from mailkit.errors import OverLimit, Unavailable
from mailstore import metrics
from mailstore.storage.fetch import StoredMessage

#: A mailbox that already has octets in memory gets more only up to 1/SHARE of the limit.
SHARE = 8
#: Limits of the reads that wait in one replica, and of their wait (seconds).
MOST_WAITING = 2000
PATIENCE = 20.0
#: Limit of the octets of bodies that are read together.
GROUP_BYTES = 8 * 1024 * 1024

R = TypeVar("R", bound=StoredMessage)


@dataclass(slots=True)
class _Line:
    """Octets of one mailbox in memory, and its reads that wait, in order."""

    taken: int = 0
    waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)


class Share:
    """Octets taken by one read. `keep` gives back those that it no longer needs."""

    def __init__(self, octets: "Octets", mailbox_id: UUID, amount: int) -> None:
        self._octets = octets
        self._mailbox_id = mailbox_id
        self.amount = amount

    def keep(self, amount: int) -> None:
        """Give back all but `amount` octets."""
        if amount < self.amount:
            self._octets.give_back(self._mailbox_id, self.amount - amount)
            self.amount = amount


class Octets:
    """Limit of octets. Reads wait in a queue per mailbox, and the queues are served in turn."""

    def __init__(self, limit: int, *, patience: float = PATIENCE) -> None:
        self.limit = limit
        self._share = limit // SHARE
        self._patience = patience
        self._lines: dict[UUID, _Line] = {}
        self._waiting = 0
        self.taken = 0
        """Octets taken for all mailboxes together."""

    @asynccontextmanager
    async def of(self, mailbox_id: UUID, amount: int) -> AsyncIterator[Share]:
        """Take `amount` octets for the block.

        Raises Unavailable if they do not become free in time or too many reads wait, and OverLimit for more than the limit.
        """
        if amount > self.limit:
            raise OverLimit("this is more than may be read at once; ask for it in pieces")
        await self._take(mailbox_id, amount)
        share = Share(self, mailbox_id, amount)
        try:
            yield share
        finally:
            share.keep(0)

    async def _take(self, mailbox_id: UUID, amount: int) -> None:
        if self._waiting >= MOST_WAITING:
            raise _refused()
        line = self._lines.setdefault(mailbox_id, _Line())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append((amount, turn))
        self._waiting += 1
        self._serve()
        if turn.done():
            return
        metrics.READ_WAITS.labels("waited").inc()
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # granted just as the wait ended
                self.give_back(mailbox_id, amount)
            else:
                if (amount, turn) in line.waiting:
                    line.waiting.remove((amount, turn))
                    self._waiting -= 1
                self._serve()
            if isinstance(error, TimeoutError):
                raise _refused() from None
            raise

    def give_back(self, mailbox_id: UUID, amount: int) -> None:
        """Give back octets of `mailbox_id` and serve the reads that wait."""
        self._lines[mailbox_id].taken -= amount
        self._count(-amount)
        self._serve()

    def _count(self, amount: int) -> None:
        self.taken += amount
        metrics.READ_BYTES.set(self.taken)

    def _serve(self) -> None:
        """Serve one read of each queue in turn; a read for which the total limit has no octets left makes all others wait."""
        served = True
        while served:
            served = False
            for mailbox_id, line in list(self._lines.items()):
                if not line.waiting:
                    if not line.taken:
                        del self._lines[mailbox_id]
                    continue
                amount, turn = line.waiting[0]
                if line.taken and line.taken + amount > self._share:
                    continue
                if self.taken + amount > self.limit:
                    return
                line.waiting.popleft()
                self._waiting -= 1
                if not turn.done():  # else its caller no longer waits
                    line.taken += amount
                    self._count(amount)
                    turn.set_result(None)
                self._lines[mailbox_id] = self._lines.pop(mailbox_id)  # last in the order of turns
                served = True


def _refused() -> Unavailable:
    metrics.READ_WAITS.labels("refused").inc()
    return Unavailable("too much is being read just now, try again")


def grouped(rows: Sequence[R]) -> list[list[R]]:
    """Divide messages into groups whose octets are within GROUP_BYTES together (a single one may be larger)."""
    groups: list[list[R]] = []
    size = GROUP_BYTES
    for row in rows:
        if size + row.size > GROUP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += row.size
    return groups
