"""Recognises passwords that were checked before, on any replica, and shares checks under way (decisions 15 and 125)."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

from auth import metrics
from auth.login.passwords import Checked
from mailkit.postgres.rows import Row


class PasswordCache:
    """Recognises a repeated right password without a hash, and lets equal checks at the same time share one hash.

    `key`: the same for all replicas, and not in the database, where the tags are.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._under_way: dict[bytes, tuple[asyncio.Future[Checked], tuple[str, ...]]] = {}
        self._trying: Counter[str] = Counter()

    def tag(self, mailbox: UUID | None, account: str, password: str, version: int) -> bytes:
        """Return the HMAC over (user, password, credential version)."""
        user = mailbox.bytes if mailbox else account.encode()
        message = len(user).to_bytes(4, "big") + user + version.to_bytes(8, "big") + password.encode()
        return hmac.digest(self._key, message, "sha256")

    def knows(self, row: Row, tag: bytes) -> bool:
        """Return whether this password was found right before, by the tag in the row that has the credential version."""
        known = row["remembered"] is not None and hmac.compare_digest(row["remembered"], tag)
        if known:
            metrics.REMEMBERED.inc()
        return known

    def under_way(self, key: str, tag: bytes) -> int:
        """Return how many other passwords that count for `key` are being checked: they count before they have failed."""
        running = self._under_way.get(tag)
        return self._trying[key] - (1 if running is not None and key in running[1] else 0)

    def hold(self, keys: tuple[str, ...]) -> None:
        """Count a wrong proof of SCRAM for `keys`, as a password that is being checked, until it is released."""
        self._trying.update(keys)

    def release(self, keys: Iterable[str]) -> None:
        """End what `hold` began: the failure is in the database."""
        for key in keys:
            self._trying[key] -= 1
            if not self._trying[key]:
                del self._trying[key]

    async def check(self, keys: tuple[str, ...], tag: bytes, work: Callable[[], Awaitable[Checked]]) -> Checked:
        """Return the result of `work()`, which is run once for equal checks at the same time.

        `keys`: the counters that a wrong password counts for. Raises what `work` raises.
        """
        running = self._under_way.get(tag)
        if running is None:
            self.hold(keys)
            task = asyncio.get_running_loop().create_task(self._run(keys, tag, work))
            running = self._under_way[tag] = task, keys
        return await asyncio.shield(running[0])

    async def _run(self, keys: tuple[str, ...], tag: bytes, work: Callable[[], Awaitable[Checked]]) -> Checked:
        try:
            return await work()
        finally:
            del self._under_way[tag]
            self.release(keys)
