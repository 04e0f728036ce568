"""SORT and THREAD in SQL: the messages that match a program, in an order, or with what is compared (RFC 5256, RFC 5957)."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated
from mailkit.postgres.rows import Row, column
from mailstore.mime.compared import Compared
from mailstore.model.threads import Threaded
from mailstore.model.uids import low_halves, numbers
from mailstore.storage.new_messages import columns, sort_columns
from mailstore.storage.search import Keys, Left, fetch_in_time

queries = Queries("mailstore.storage", "sort.sql")

#: Limits of a slice of rows that are not filled in: rows, and octets of their envelopes.
SLICE = 1000
SLICE_BYTES = 4 * 1024 * 1024
#: Messages of which a statement of THREAD returns what is compared.
THREAD_SLICE = 5000

RENDERED = """cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r"""
#: Columns as `sort_columns` returns them, after the UID.
_FILLED = {
    "uid": "bigint",
    "sent_at": "timestamptz",
    "message_id": "text",
    "references_": "text",
    "base_subject": "text",
    "derived": "boolean",
    "from_mailbox": "text",
    "to_mailbox": "text",
    "cc_mailbox": "text",
    "from_display": "text",
    "to_display": "text",
}
#: The column of each sort key that is a text.
_TEXTS = {
    "SUBJECT": "base_subject",
    "FROM": "from_mailbox",
    "TO": "to_mailbox",
    "CC": "cc_mailbox",
    "DISPLAYFROM": "from_display",
    "DISPLAYTO": "to_display",
}
#: The column of each of ORDER_KEYS; a time in binary form is a number of microseconds.
_NUMBERS = {"ARRIVAL": "m.internaldate", "DATE": "coalesce(m.sent_at, m.internaldate)", "SIZE": "m.size"}
_THREADED = ("base_subject", "derived", "message_id", "references_")

#: The UID and the columns of rows that are not filled in yet, computed from their ENVELOPE.
Computed = Sequence[tuple[object, ...]]


class UnfilledEnvelope(Row):
    """A row of a release before 0007."""

    uid: int = column("uid")
    envelope: bytes = column("envelope")

    def computed(self, values: Compared) -> tuple[object, ...]:
        return self.uid, *sort_columns(values)


class OrderedMessages(Row):
    """Messages in an order, and what is compared of them; `unfilled`: some rows of the folder have no such value yet."""

    uids: bytes | None = column("uids")
    compared: bytes | None = column("compared")
    unfilled: bool = column("unfilled")

    def packed(self) -> tuple[bytes, bytes]:
        """Return the UIDs and the values, packed."""
        return low_halves(self.uids), numbers(self.compared)


class _Columns:
    """The columns of a statement. What it needs beside `message` is joined only if it is read."""

    def __init__(self, keys: Keys, computed: Computed) -> None:
        self._keys = keys
        self._computed = computed

    def text(self, name: str) -> str:
        return f"coalesce(r.{name}, f.{name})" if self._computed else f"r.{name}"

    def sent(self) -> str:
        return "f.sent_at, " if self._computed else ""

    def order(self, sort_key: str) -> str:
        """Return SQL for one key, `-` before it for REVERSE."""
        name, way = sort_key.removeprefix("-"), " desc, " if sort_key.startswith("-") else ", "
        if name == "ARRIVAL":
            return "m.internaldate" + way
        if name == "SIZE":
            return "m.size" + way
        if name == "DATE":
            return f"coalesce(m.sent_at, {self.sent()}m.internaldate){way}"
        return f'{self.text(_TEXTS[name])} collate "C"{way}'

    def joined(self, *sql: str) -> str:
        """Return the joins for these parts of the statement."""
        found = RENDERED if any("r." in part for part in sql) else ""
        if self._computed and any("f." in part for part in sql):
            arrays = [f"{self._keys.bind(values)}::{kind}[]" for values, kind in self._arrays()]
            found += f"\n  left join unnest({', '.join(arrays)}) as f({', '.join(_FILLED)}) on f.uid = m.uid"
        return found

    def _arrays(self) -> list[tuple[list[object], str]]:
        return list(zip(columns(self._computed), _FILLED.values(), strict=True))


class SortRows:
    """The messages of folders, for SORT and THREAD. `left` as for SearchRows."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def unfilled(self, mailbox_id: UUID, folder_id: int, after: int, left: Left) -> list[UnfilledEnvelope]:
        """Return the next rows that are not filled in yet; none if all are. Raises OverLimit."""
        arguments = mailbox_id, folder_id, after, SLICE, SLICE_BYTES
        return await fetch_in_time(self._pool, queries.unfilled_of, left, *arguments, record_class=UnfilledEnvelope)

    async def sorted(
        self, folder: tuple[UUID, int], keys: Keys, condition: str, order: Sequence[str], computed: Computed, left: Left
    ) -> list[int]:
        """Return the UIDs that fulfil the condition in the order of the sort keys, then of UIDs. Raises OverLimit."""
        found = _Columns(keys, computed)
        ordered = "".join(map(found.order, order))
        statement = (
            queries.sorted.replace("$joined", found.joined(condition, ordered))
            .replace("$condition", condition)
            .replace("$order", ordered)
        )
        rows = await fetch_in_time(self._pool, statement, left, *folder, *keys.arguments, record_class=Row)
        return rows[0]["uids"] or []

    async def order_size(self, mailbox_id: UUID, folder_id: int, after: int) -> int | None:
        """Return a number that the messages with UIDs above `after` do not exceed; None if there is no such folder."""
        async with translated():
            size: int | None = await self._pool.fetchval(queries.order_size, mailbox_id, folder_id, after)
        return size

    async def in_order(
        self, mailbox_id: UUID, folder_id: int, sort_key: str, after: int, left: Left
    ) -> OrderedMessages | None:
        """Return the messages with UIDs above `after` in the order of one of ORDER_KEYS; None without the folder. Raises OverLimit."""
        statement = queries.in_order.replace("$column", _NUMBERS[sort_key.removeprefix("-")])
        statement = statement.replace("$direction", "desc" if sort_key.startswith("-") else "")
        rows = await fetch_in_time(
            self._pool, statement, left, mailbox_id, folder_id, after, record_class=OrderedMessages
        )
        return rows[0] if rows else None

    async def threaded(
        self, folder: tuple[UUID, int], keys: Keys, condition: str, computed: Computed, after: int, left: Left
    ) -> list[Threaded]:
        """Return what is compared of the next THREAD_SLICE messages that fulfil the condition. Raises OverLimit."""
        found = _Columns(keys, computed)
        named = ", ".join(map(found.text, _THREADED))
        given = len(keys.arguments)
        statement = (
            queries.compared.replace("$joined", found.joined(condition, named))
            .replace("$condition", condition)
            .replace("$columns", named)
            .replace("$sent", found.sent())
            .replace("$after", keys.bind(after))
            .replace("$limit", str(THREAD_SLICE))
        )
        try:
            rows = await fetch_in_time(self._pool, statement, left, *folder, *keys.arguments, record_class=Row)
        finally:
            del keys.arguments[given:]  # the next slice binds its own
        return [Threaded(*row) for row in rows]
