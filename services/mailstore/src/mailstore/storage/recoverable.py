"""The rows of expunged messages that can be undeleted (docs/decisions/0120)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.postgres.rows import Row, column

queries = Queries("mailstore.storage", "recoverable.sql")

#: Greater than every number.
LAST = 2**63 - 1


class Recoverable(Row):
    """An expunged message. `folder`: the name of its folder now, or as it was if it is deleted."""

    number: int = column("number")
    at: datetime = column("at")
    folder_id: int = column("folder_id")
    folder: str = column("folder")
    body_id: UUID = column("body_id")
    size: int = column("size")
    internaldate: datetime = column("internaldate")


class Recovered(Row):
    """A message that is removed from the recoverable ones."""

    number: int = column("number")
    folder_id: int = column("folder_id")
    folder: str = column("folder")
    body_id: UUID = column("body_id")
    prefix: bytes = column("prefix")
    size: int = column("size")
    flags: int = column("flags")
    internaldate: datetime = column("internaldate")
    open_end: bool = column("open_end")


class Oldest(Row):
    """One of the oldest recoverable messages of a mailbox."""

    number: int = column("number")
    at: datetime = column("at")
    size: int = column("size")


class KeptOf(Row):
    """What a mailbox has of recoverable messages, and its quota."""

    messages: int = column("messages")
    octets: int = column("octets")
    quota_limit: int = column("quota_limit")
    limit_version: int = column("limit_version")


class RecoverableRows:
    """The recoverable messages of one mailbox, in a transaction that has locked its row."""

    def __init__(self, connection: Connection, mailbox_id: UUID) -> None:
        self._connection = connection
        self._mailbox_id = mailbox_id

    async def take(self, numbers: Sequence[int]) -> list[Recovered]:
        """Remove messages; return those that were there, in the order of their deletion."""
        return await self._connection.fetch(
            queries.take_recoverable, self._mailbox_id, list(numbers), record_class=Recovered
        )

    async def oldest(self, most: int) -> list[Oldest]:
        return await self._connection.fetch(queries.oldest_recoverable, self._mailbox_id, most, record_class=Oldest)

    async def state(self) -> KeptOf:
        found = await self._connection.fetchrow(queries.recoverable_state, self._mailbox_id, record_class=KeptOf)
        assert found is not None
        return found

    async def set_since(self, since: datetime | None, *, too_many: bool) -> None:
        """Set the time of the oldest message, by which upkeep finds the mailbox; with `too_many` it is the next."""
        await self._connection.execute(queries.set_recoverable_since, self._mailbox_id, since, too_many)


class Recoverables:
    """The recoverable messages of mailboxes, outside a change."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def before(self, mailbox_id: UUID, number: int, most: int) -> list[Recoverable]:
        """Return at most `most` messages with lower numbers, the last deleted first."""
        return await self._rows(queries.recoverable_before, mailbox_id, number, most)

    async def after(self, mailbox_id: UUID, number: int, most: int) -> list[Recoverable]:
        """Return at most `most` messages with greater numbers, the first deleted first."""
        return await self._rows(queries.recoverable_after, mailbox_id, number, most)

    async def numbered(self, mailbox_id: UUID, numbers: Sequence[int]) -> list[Recoverable]:
        """Return those of the numbers that are there."""
        return await self._rows(queries.recoverable_numbered, mailbox_id, list(numbers))

    async def _rows(self, statement: str, *arguments: object) -> list[Recoverable]:
        async with translated():
            return await self._pool.fetch(statement, *arguments, record_class=Recoverable)
