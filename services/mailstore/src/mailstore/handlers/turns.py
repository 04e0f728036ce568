"""Limit of the concurrent expensive commands of one mailbox, so that one customer does not delay the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from mailkit.errors import OverLimit

#: Limits for one mailbox in one replica: concurrent commands that read or change many messages, and those that wait.
AT_ONCE = 8
IN_LINE = 32
#: Limit of the wait (seconds).
PATIENCE = 20.0


class _Line:
    def __init__(self) -> None:
        self.free = asyncio.Semaphore(AT_ONCE)
        self.commands = 0


class Turns:
    """AT_ONCE concurrent commands for each mailbox."""

    def __init__(self) -> None:
        self._lines: dict[UUID, _Line] = {}

    @asynccontextmanager
    async def of(self, mailbox_id: UUID) -> AsyncIterator[None]:
        """Wait for a turn and keep it for the block. Raises OverLimit if too many commands wait or the wait takes too long."""
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
