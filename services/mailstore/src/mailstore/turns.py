"""Expensive commands of one mailbox take turns, so that one customer's work does not delay the others'."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from mailkit.errors import OverLimit

#: Commands of one mailbox that read or change many messages, under way at once, and in line for it, in one replica.
AT_ONCE = 8
IN_LINE = 32
#: Seconds a command stays in line.
PATIENCE = 20.0


class _Line:
    def __init__(self) -> None:
        self.free = asyncio.Semaphore(AT_ONCE)
        self.commands = 0


class Turns:
    """Give each mailbox AT_ONCE turns."""

    def __init__(self) -> None:
        self._lines: dict[UUID, _Line] = {}

    @asynccontextmanager
    async def of(self, mailbox_id: UUID) -> AsyncIterator[None]:
        """A turn for the length of the block. Raises OverLimit when too many are in line or it takes too long."""
        line = self._lines.setdefault(mailbox_id, _Line())
        if line.commands >= AT_ONCE + IN_LINE:
            raise OverLimit("too many commands of this mailbox are under way")
        line.commands += 1
        try:
            try:
                async with asyncio.timeout(PATIENCE):
                    await line.free.acquire()
            except TimeoutError:
                raise OverLimit("the commands of this mailbox that are under way take too long") from None
            try:
                yield
            finally:
                line.free.release()
        finally:
            line.commands -= 1
            if not line.commands:
                del self._lines[mailbox_id]
