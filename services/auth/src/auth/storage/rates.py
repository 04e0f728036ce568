"""What accounts have relayed in the last minute, hour and day, one row for each account with a plan that limits it (docs/decisions/0115)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from auth.limits import Rates
from auth.storage.directory import PATIENCE
from mailkit.postgres.pool import Queries, translated

queries = Queries("auth.storage", "rates.sql")


@dataclass(slots=True)
class ListUse:
    """What one list asks for an account: messages, the recipients that begin one, and other recipients."""

    rates: Rates
    messages: int = 0
    beginning: int = 0
    others: int = 0

    def add(self, recipients: int, *, first: bool) -> None:
        """Add a question of the list."""
        self.messages += first
        if first:
            self.beginning += recipients
        else:
            self.others += recipients


class RateRows:
    """The statements of `rates.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def charge(
        self, uses: Mapping[UUID, ListUse], now: datetime, *, count: bool = True
    ) -> dict[UUID, tuple[int, int]]:
        """Charge what fits; return how many (messages, recipients) each account had left before. `count` False: only look.

        Messages are charged all or none, with the recipients that begin them; other recipients as far as they fit.
        """
        async with translated():
            left = await self._charge(uses, sorted(uses), now, count)
            if missing := sorted(uses.keys() - left.keys()):
                await self._pool.execute(queries.make, missing, now, timeout=PATIENCE)
                left |= await self._charge(uses, missing, now, count)
        return left

    async def _charge(
        self, uses: Mapping[UUID, ListUse], accounts: Sequence[UUID], now: datetime, count: bool
    ) -> dict[UUID, tuple[int, int]]:
        asked = [uses[account] for account in accounts]
        rows = await self._pool.fetch(
            queries.charge,
            accounts,
            [use.messages for use in asked],
            [use.beginning for use in asked],
            [use.others for use in asked],
            *([getattr(use.rates, name) for use in asked] for name in Rates.__slots__),
            now,
            count,
            timeout=PATIENCE,
        )
        return {row["mailbox_id"]: (row["messages_left"], row["recipients_left"]) for row in rows}
