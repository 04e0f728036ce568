"""Usage of mailboxes: whether a message fits, which the gateway asks at RCPT (decisions 5, 35)."""

from collections.abc import Sequence
from typing import Any, Literal

import asyncpg

from mailkit.postgres.pool import translated
from mailstore.model.quota import Account, Charge
from mailstore.storage.store import sql
from mailstore_api.wire import RoomQuestion

Answer = Literal["room", "full", "never", "gone"]


class Usage:
    """Usage and limits of mailboxes."""

    def __init__(self, pool: asyncpg.Pool, charge: Charge) -> None:
        self._pool = pool
        self._charge = charge

    async def ask(self, items: Sequence[RoomQuestion]) -> list[Answer]:
        """Return for each item, in order: room, full, never (larger than the quota) or gone."""
        async with translated():
            rows = await self._pool.fetch(sql.sizes, [item.mailbox_id for item in items])
        known = {row["mailbox_id"]: row for row in rows}
        return [self._answer(item, known.get(item.mailbox_id)) for item in items]

    def _answer(self, item: RoomQuestion, row: Any) -> Answer:
        if row is not None and row["purged"]:
            return "gone"
        account = Account.of(row, self._charge)
        account.learn(item.quota_limit, item.limit_version)
        if account.never_fits(item.size):
            return "never"
        return "room" if account.fits(item.size) else "full"
