"""Events of the trace that a transaction writes: moves to Junk or Trash, and deletions (docs/decisions/0081)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, Queries

queries = Queries("mailstore.storage", "events.sql")

#: Messages of one event; more are several events. Such a row is small enough to be stored whole.
MOST_BODIES = 100


class EventRows:
    """The events of one mailbox."""

    def __init__(self, connection: Connection, mailbox_id: UUID) -> None:
        self._connection = connection
        self._mailbox_id = mailbox_id

    async def add(self, kind: str, folder: str, protocol: str, body_ids: Sequence[UUID], now: datetime) -> None:
        """Record that the messages with these bodies were moved to `folder`, or deleted from it."""
        rows = [
            (new_id(), self._mailbox_id, now, kind, folder, protocol, len(part), part)
            for start in range(0, len(body_ids), MOST_BODIES)
            if (part := list(body_ids[start : start + MOST_BODIES]))
        ]
        if rows:
            await self._connection.executemany(queries.insert_event, rows)

    async def add_count(self, kind: str, protocol: str, messages: int, now: datetime) -> None:
        """Record what happened to all messages of the mailbox, by their number."""
        row: tuple[object, ...] = (new_id(), self._mailbox_id, now, kind, "", protocol, messages, [])
        await self._connection.execute(queries.insert_event, *row)
