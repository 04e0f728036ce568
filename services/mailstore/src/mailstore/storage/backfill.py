"""Progress and rows of work that is done once on all rows, in slices, in the order of keys."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from mailkit.postgres.pool import Connection, Queries
from mailkit.postgres.rows import Row, column
from mailkit.postgres.singleton import Singleton
from mailstore.storage.new_messages import addresses_searched

queries = Queries("mailstore.storage", "backfill.sql")

#: A message: mailbox, folder, UID.
Key = tuple[UUID, int, int]


class _Keyed(Row):
    @property
    def key(self) -> Key:
        return self["mailbox_id"], self["folder_id"], self["uid"]


class Place(_Keyed):
    """How far the work has come: `key` is the last one done."""

    done: bool = column("done")


class AddressRow(_Keyed):
    """An ENVELOPE, and the texts of addresses that SEARCH compares."""

    envelope: bytes = column("envelope")

    def corrected(self) -> tuple[object, ...] | None:
        """Return the row's key and its texts as ENVELOPE has the addresses; None if it has these."""
        texts = addresses_searched(self.envelope)
        return None if texts == (self["from_"], self["to_"], self["cc"], self["bcc"]) else (*self.key, *texts)


class BackfillStep:
    """A slice of the work, in one transaction."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    async def place(self) -> Place:
        """Return the place, and lock it."""
        place = await self._connection.fetchrow(queries.backfill_place, self._name, record_class=Place)
        assert place is not None
        return place

    async def addresses_after(self, key: Key, most: int, octets: int) -> list[AddressRow]:
        """Return the rows after a key, at most `most` of about `octets` octets; if one is locked, what follows fails after 1 s."""
        await self._connection.execute("set local lock_timeout = '1s'")
        return await self._connection.fetch(queries.envelopes_after, *key, most, octets, record_class=AddressRow)

    async def fill_addresses(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Write rows as `AddressRow.corrected` returns them."""
        await self._connection.execute(queries.fill_addresses, *(list(values) for values in zip(*rows, strict=True)))

    async def move(self, key: Key, *, done: bool) -> None:
        await self._connection.execute(queries.move_backfill, self._name, *key, done)


@asynccontextmanager
async def backfill_step(lease: Singleton, name: str) -> AsyncIterator[BackfillStep]:
    """Begin the next slice. Raises LeaseLost without the lease."""
    async with lease.step() as connection:
        yield BackfillStep(connection, name)
