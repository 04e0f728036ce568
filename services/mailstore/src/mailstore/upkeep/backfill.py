"""Back-fill of the columns that SORT and THREAD compare, and of the texts that SEARCH compares (decision 0059)."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from bodystore import BodyStore
from mailkit.postgres.singleton import Singleton
from mailkit.process.logs import get_logger
from mailstore.mime import render
from mailstore.mime.compared import Compared, compared
from mailstore.mime.headers import blank_line
from mailstore.storage.backfill import Backfill, UnfilledRow

log = get_logger()

NAME = "sort_keys"
#: Limits of a slice: rows, and octets of their envelopes and of the beginnings of their bodies.
SLICE = 500
SLICE_BYTES = 8 * 1024 * 1024


class Filler:
    """Fills in rows of earlier releases, in slices; a row that is locked is tried again by the next round."""

    def __init__(self, rows: Backfill, bodies: BodyStore) -> None:
        self._rows = rows
        self._bodies = bodies

    async def fill(self, lease: Singleton) -> bool:
        """Fill in the next slice; False if none was left. Raises LeaseLost without the lease."""
        rows = await self._rows.unfilled(SLICE, SLICE_BYTES)
        if not rows:
            return False
        heads = await self._bodies.read_heads([row.body_id for row in rows])
        await self._rows.fill(lease, await asyncio.to_thread(_filled, rows, heads))
        log.info("maintenance", step=NAME, rows=len(rows))
        return True


def _filled(rows: Sequence[UnfilledRow], heads: Mapping[UUID, bytes]) -> list[tuple[object, ...]]:
    return [row.filled(_compared(row.envelope, heads.get(row.body_id))) for row in rows]


def _compared(envelope: bytes, head: bytes | None) -> Compared:
    """The values of a message, from the beginning of its body; if that is gone, from its ENVELOPE."""
    if head is None:
        return compared(envelope)
    end = blank_line(head, 0, len(head))
    return render(head[:end] if end >= 0 else head).compared
