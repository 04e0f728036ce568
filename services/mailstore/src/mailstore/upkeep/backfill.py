"""Back-fill of the address columns: SEARCH compares addresses as ENVELOPE has them (RFC 3501 6.4.4), but rows filed by
older code have the text of the field. They are rewritten once, in slices."""

import asyncio
from collections.abc import Sequence

import asyncpg

from mailkit.postgres.pool import Connection
from mailkit.process.logs import get_logger
from mailstore.storage.rows import addresses_searched
from mailstore.storage.store import upkeep

log = get_logger()

NAME = "addresses"
#: Limits of a slice: rows, and octets of their envelopes.
SLICE = 500
SLICE_BYTES = 4 * 1024 * 1024


async def fill_addresses(connection: Connection) -> bool:
    """Rewrite the next slice in the transaction of `connection`; False if none is left."""
    place = await connection.fetchrow(upkeep.backfill_place, NAME)
    assert place is not None
    if place["done"]:
        return False
    await connection.execute("set local lock_timeout = '1s'")  # if a row is locked, the next round retries
    key = place["mailbox_id"], place["folder_id"], place["uid"]
    rows = await connection.fetch(upkeep.envelopes_after, *key, SLICE, SLICE_BYTES)
    changed = await asyncio.to_thread(_changed, rows)
    if changed:
        await connection.execute(upkeep.fill_addresses, *(list(column) for column in zip(*changed, strict=True)))
    if rows:
        key = rows[-1]["mailbox_id"], rows[-1]["folder_id"], rows[-1]["uid"]
    await connection.execute(upkeep.move_backfill, NAME, *key, not rows)
    if not rows:
        log.info("maintenance", step=NAME)
    return bool(rows)


def _changed(rows: Sequence[asyncpg.Record]) -> list[tuple[object, ...]]:
    """The rows to rewrite: key, from_, to_, cc, bcc."""
    found: list[tuple[object, ...]] = []
    for row in rows:
        addresses = addresses_searched(row["envelope"])
        if addresses != (row["from_"], row["to_"], row["cc"], row["bcc"]):
            found.append((row["mailbox_id"], row["folder_id"], row["uid"], *addresses))
    return found
