"""Back-fill of the address columns:

SEARCH compares addresses as ENVELOPE has them (RFC 3501 6.4.4), but rows filed by older code have the text of the field.
They are rewritten once, in slices.
"""

import asyncio
from collections.abc import Sequence

from mailkit.postgres.singleton import Singleton
from mailkit.process.logs import get_logger
from mailstore.storage.backfill import AddressRow, backfill_step

log = get_logger()

NAME = "addresses"
#: Limits of a slice: rows, and octets of their envelopes.
SLICE = 500
SLICE_BYTES = 4 * 1024 * 1024


async def fill_addresses(lease: Singleton) -> bool:
    """Rewrite the next slice; False if none is left. Raises LeaseLost without the lease."""
    async with backfill_step(lease, NAME) as step:
        place = await step.place()
        if place.done:
            return False
        rows = await step.addresses_after(place.key, SLICE, SLICE_BYTES)  # if one is locked, the next round retries
        changed = await asyncio.to_thread(_corrected, rows)
        if changed:
            await step.fill_addresses(changed)
        await step.move(rows[-1].key if rows else place.key, done=not rows)
        if not rows:
            log.info("maintenance", step=NAME)
        return bool(rows)


def _corrected(rows: Sequence[AddressRow]) -> list[tuple[object, ...]]:
    return [corrected for row in rows if (corrected := row.corrected()) is not None]
