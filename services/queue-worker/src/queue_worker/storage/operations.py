"""What operators did, for the trace (docs/decisions/0084): a row for each batch of an action, each pause, each route and their ends."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, Queries

queries = Queries("queue_worker.storage", "operations.sql")


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """What an operator does. `kind` and `value`: of a pause or a route; `filter`: of an action on recipients, as JSON."""

    id: UUID
    at: datetime
    action: str
    actor: str
    reason: str
    filter: str | None = None
    kind: str | None = None
    value: str | None = None

    def again(self, now: datetime) -> Self:
        """Return the same for a further batch, at `now`."""
        return replace(self, id=new_id(), at=now)


async def note(connection: Connection, operation: OperatorAction, recipients: int | None = None) -> None:
    """Note `operation`, which changed `recipients`, in the transaction of `connection`."""
    o = operation
    await connection.execute(
        queries.note_operation, o.id, o.at, o.action, o.actor, o.reason, o.filter, o.kind, o.value, recipients
    )
