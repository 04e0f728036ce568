"""What smtp-gateway refused: client, envelope, rule and reply, in day partitions (docs/decisions/0069)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from mailkit.ids import id_time
from mailkit.postgres.pool import Queries, translated
from queue_worker.models import clean
from queue_worker.storage.verdicts import as_text
from queue_worker_api.wire import Refusal

queries = Queries("queue_worker.storage", "refusals.sql")


@dataclass(frozen=True, slots=True)
class WantedRefusals:
    """Which refusals are meant; None: any. `address`, in lower case: of the sender or of a recipient."""

    account: UUID | None = None
    address: str | None = None
    client: str | None = None
    rule: str | None = None


class RefusalRows:
    """The statements of `refusals.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def record(self, items: Sequence[Refusal]) -> list[Refusal]:
        """Insert `items` and return those that are new; those that are there already change nothing."""
        async with translated():
            new = {row["id"] for row in await self._pool.fetch(queries.record, [_row(item) for item in items])}
        return [item for item in items if item.id in new]

    async def matching(
        self, low: UUID, high: UUID, wanted: WantedRefusals, window: int, limit: int
    ) -> tuple[list[asyncpg.Record], UUID | None]:
        """Look at the last `window` refusals between `low` and `high`, or of the account's.

        Return up to `limit` that match, the latest first, and before which one to go on, None if no more follow.
        """
        w = wanted
        if w.account is not None:
            start = await self._pool.fetchval(queries.account_start, low, high, w.account, window)
        else:
            start = await self._pool.fetchval(queries.window_start, low, high, window)
        floor = UUID(int=start.int - 1) if start else low
        rows = await self._pool.fetch(queries.within, floor, high, w.account, w.address, w.client, w.rule, limit)
        return rows, rows[-1]["id"] if len(rows) == limit else start


def _row(item: Refusal) -> tuple[object, ...]:
    """Return `item` as a row of the type queue.new_refusal_2: text of clients as it can be stored."""
    came = item.origin
    return (
        item.id,
        datetime.fromtimestamp(id_time(item.id), UTC),
        item.client_address,
        came.listener,
        came.tls or None,
        clean(came.helo) or None,
        came.by,
        item.account,
        came.account or None,
        None if item.mail_from is None else clean(item.mail_from),
        [clean(address) for address in item.recipients],
        item.recipient_count,
        item.size,
        item.command,
        item.rule,
        clean(item.reply),
        item.times,
        as_text(item.verdicts),
    )
