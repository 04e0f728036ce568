"""Rows of messages for FETCH and RETR, in ranges of UIDs and in slices, with the columns that are asked for."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated
from mailkit.postgres.rows import Row, column
from mailstore.model.uids import split
from mailstore_api.wire import Ranges

queries = Queries("mailstore.storage", "fetch.sql")

#: Octets of a row's rendered columns above which it is found by `has_big` (schema.py).
BIG = 65536

#: The digits of EMAILID (RFC 8474 5.1): equal for messages of the same octets only, as far as they are copies of one.
EMAIL_ID = "encode(uuid_send(m.body_id) || substr(sha256(m.prefix), 1, 8), 'hex')"

_COLUMNS = {
    "ENVELOPE": "r.envelope",
    "BODY": "r.body",
    "BODYSTRUCTURE": "r.bodystructure",
    "RFC822.SIZE": "m.size",
    "INTERNALDATE": "floor(extract(epoch from m.internaldate))::bigint",
    "SAVEDATE": "floor(extract(epoch from m.saved_at))::bigint",
    "EMAILID": f"'M' || {EMAIL_ID}",
}
_STORED = ["m.body_id", "m.prefix", "m.size", "r.parts"]


class MessageRow(Row):
    """A row of a message, the UID first."""

    uid: int = column("uid")


class WeighedMessage(MessageRow):
    """The sizes of a message."""

    weight: int = column("weight")
    """Octets of the rendered columns."""
    size: int = column("size")


class StoredMessage(MessageRow):
    """Where a message's octets are; in FETCH, the last of the columns."""

    body_id: UUID = column("body_id")
    prefix: bytes = column("prefix")
    """Octets before those of the body."""
    size: int = column("size")
    """Octets of prefix and body together."""
    parts: bytes = column("parts")


R = TypeVar("R", bound=MessageRow)


class Selection:
    """The columns of a FETCH: the UID, those asked for, and with `stored` those of StoredMessage."""

    def __init__(self, columns: Sequence[str], *, stored: bool) -> None:
        self.sql = ", ".join(["m.uid", *(_COLUMNS[each] for each in columns), *(_STORED if stored else [])])
        self.is_rendered = "r." in self.sql
        """Whether one of the columns was rendered at filing, so that it may be large."""


class FetchRows:
    """The messages of folders."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def rows(
        self, mailbox_id: UUID, folder_id: int, most: int, selection: Selection, ranges: Ranges
    ) -> list[StoredMessage]:
        """Return the first rows of the ranges, at most `most`."""
        one, several = _statements(selection)
        return await self._first(one, several, mailbox_id, folder_id, ranges, most, StoredMessage)

    async def rows_of(
        self, mailbox_id: UUID, folder_id: int, uids: list[int], selection: Selection
    ) -> list[StoredMessage]:
        """Return the rows of these UIDs."""
        _, several = _statements(selection)
        async with translated():
            return await self._pool.fetch(
                several, mailbox_id, folder_id, uids, uids, len(uids), record_class=StoredMessage
            )

    async def has_big(self, mailbox_id: UUID, folder_id: int, low: int, high: int) -> bool:
        """Return whether a row of the range has more than BIG octets of rendered columns."""
        async with translated():
            return bool(await self._pool.fetchval(queries.has_big_rows, mailbox_id, folder_id, low, high))

    async def rows_until(
        self, mailbox_id: UUID, folder_id: int, low: int, high: int, most: int, octets: int, selection: Selection
    ) -> list[StoredMessage]:
        """Return the first rows of a range until their rendered columns reach `octets`, at most those before a BIG one."""
        statement = queries.fetch_cut.replace("$columns", selection.sql.replace("r.", "m."))
        async with translated():
            return await self._pool.fetch(
                statement, mailbox_id, folder_id, low, high, most, octets, record_class=StoredMessage
            )

    async def weights(self, mailbox_id: UUID, folder_id: int, most: int, ranges: Ranges) -> list[WeighedMessage]:
        """Return the sizes of the first rows of the ranges, at most `most`."""
        one, several = queries.weights, queries.weights_some
        return await self._first(one, several, mailbox_id, folder_id, ranges, most, WeighedMessage)

    async def _first(
        self, one: str, several: str, mailbox_id: UUID, folder_id: int, ranges: Ranges, most: int, kind: type[R]
    ) -> list[R]:
        """Run the statement for one range, or that for several short ones."""
        bounds = ranges[0] if len(ranges) == 1 else split(ranges)
        statement = one if len(ranges) == 1 else several
        async with translated():
            return await self._pool.fetch(statement, mailbox_id, folder_id, *bounds, most, record_class=kind)

    async def message(self, mailbox_id: UUID, folder_id: int, uid: int) -> StoredMessage | None:
        async with translated():
            return await self._pool.fetchrow(
                queries.one_message, mailbox_id, folder_id, uid, record_class=StoredMessage
            )

    async def messages(self, mailbox_id: UUID, folder_id: int, uids: Sequence[int]) -> list[StoredMessage]:
        """Return the messages, without `parts`, in any order."""
        async with translated():
            return await self._pool.fetch(
                queries.some_messages, mailbox_id, folder_id, uids, record_class=StoredMessage
            )


def _statements(selection: Selection) -> tuple[str, str]:
    """Return the statements for one range and for several, with the columns."""
    pair = (
        (queries.fetch_wide, queries.fetch_some_wide) if selection.is_rendered else (queries.fetch, queries.fetch_some)
    )
    one, several = (each.replace("$columns", selection.sql) for each in pair)
    return one, several
