"""GET /v1/queue/top: what most of the queue's recipients have in common, counted part by part (docs/decisions/0082)."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from mailkit.process.clock import Clock
from mailkit.rpc.app import OPERATORS
from queue_worker.operators.filters import Asked, asked, wanted
from queue_worker.storage import records as rows
from queue_worker.storage.records import Records

#: Recipients that one part has, besides those of its last message.
PART = 10_000


class QueueGroup(BaseModel):
    """Recipients under way that have something in common, in one part of the queue."""

    key: str
    """The domain, the sender, the account's id ("" for mail without one) or the first 200 characters of the last reply."""
    recipients: int
    waiting: int
    claimed: int
    held: int
    oldest: datetime
    """When the first of their messages was accepted."""

    @classmethod
    def of(cls, row: rows.Counted) -> Self:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class QueuePart(BaseModel):
    """The groups of one part of the queue, in no order."""

    groups: list[QueueGroup]
    next: str | None
    """`after` of the following part; null if this was the last."""


def router(store: Records, clock: Clock) -> APIRouter:
    """Return the route /v1/queue/top."""
    routes = APIRouter(tags=["queue"], dependencies=OPERATORS)

    @routes.get("/v1/queue/top", operation_id="top")
    async def top(
        given: Annotated[Asked, Depends(asked)],
        by: Literal["domain", "sender", "account", "reply"] = "domain",
        after: UUID = Query(default=UUID(int=0), description="`next` of the part before"),
    ) -> QueuePart:
        """Count recipients under way by domain, sender, account or last reply, in one part of the queue.

        A part has some ten thousand recipients; `next` leads to the one that follows, whose counts are to be added.
        """
        window = await store.window(after, wanted(given, clock.now()), PART)
        groups = [QueueGroup.of(row) for row in await store.top(window, by)]
        return QueuePart(groups=groups, next=window.end.hex if window.end else None)

    return routes
