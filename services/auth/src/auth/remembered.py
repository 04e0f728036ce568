"""Checked passwords remembered in the process, never as they are (decision 15)."""

import asyncio
import hmac
import os
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from uuid import UUID

from auth import metrics
from auth.passwords import Checked

#: Entries; one is 32 bytes and its dictionary's share.
MOST = 100_000


class Remembered:
    """Answers a repeated right password without a hash, and lets equal questions at the same moment share one."""

    def __init__(self, most: int = MOST) -> None:
        self._key = os.urandom(32)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Future[Checked]] = {}
        self._trying: Counter[str] = Counter()
        self._most = most

    def tag(self, mailbox: UUID | None, account: str, password: str, version: int) -> bytes:
        """HMAC over (user, password, credential version) under a key only this process has."""
        user = mailbox.bytes if mailbox else account.encode()
        message = len(user).to_bytes(4, "big") + user + version.to_bytes(8, "big") + password.encode()
        return hmac.digest(self._key, message, "sha256")

    def knows(self, tag: bytes) -> bool:
        """Was this found right before?"""
        if tag not in self._good:
            return False
        self._good.move_to_end(tag)
        metrics.REMEMBERED.inc()
        return True

    def under_way(self, account: str, tag: bytes) -> int:
        """Other passwords being tried for this account right now: they count before they have failed."""
        return self._trying[account] - (1 if tag in self._under_way else 0)

    async def check(self, account: str, tag: bytes, work: Callable[[], Awaitable[Checked]]) -> Checked:
        """The result of `work()`, run once for everybody who asks the same at the same time; what is right is kept.

        Raises what `work` raises.
        """
        running = self._under_way.get(tag)
        if running is None:
            self._trying[account] += 1
            running = self._under_way[tag] = asyncio.get_running_loop().create_task(self._run(account, tag, work))
        return await asyncio.shield(running)

    async def _run(self, account: str, tag: bytes, work: Callable[[], Awaitable[Checked]]) -> Checked:
        try:
            checked = await work()
            if checked.good:
                self._good[tag] = None
                if len(self._good) > self._most:
                    self._good.popitem(last=False)
            return checked
        finally:
            del self._under_way[tag]
            self._trying[account] -= 1
            if not self._trying[account]:
                del self._trying[account]
