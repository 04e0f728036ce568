"""GET /v1/trace: what happened to messages in mailboxes, and in a mailbox (docs/decisions/0081)."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from mailkit.errors import BadRequest
from mailkit.ids import id_floor
from mailkit.rpc.app import OPERATORS
from mailstore.storage.trace import MailboxTraces

_LAST = UUID(int=2**128 - 1)


class MailboxEvent(BaseModel):
    """An event of one message, or of several messages of a mailbox that changed together."""

    queue_id: UUID | None = None
    """The message, if it was asked for by its queue id."""
    mailbox_id: UUID
    at: datetime
    event: str
    """`filed`, `fetched` (for the first time), `moved` or `copied` (to Junk or Trash), `deleted`, `undeleted`, `purged` (with its mailbox)."""
    folder: str
    protocol: str
    """By which it was done: `imap`, `pop3`, `operator`."""
    messages: int = 1


def router(traces: MailboxTraces) -> APIRouter:
    """Return the route /v1/trace."""
    routes = APIRouter(tags=["trace"], dependencies=OPERATORS)

    @routes.get("/v1/trace", operation_id="trace", response_model=list[MailboxEvent])
    async def trace(
        request: Request,
        response: Response,
        id: Annotated[list[UUID] | None, Query(max_length=100, description="queue ids")] = None,
        mailbox: UUID | None = Query(default=None, description="a mailbox's id, instead of queue ids"),
        newer: Annotated[int | None, Query(ge=0, le=10**9, description="within this number of seconds")] = None,
        older: Annotated[int | None, Query(ge=0, le=10**9, description="longer ago than this")] = None,
        before: UUID | None = Query(default=None, description="the last id of the page before"),
        limit: int = Query(default=100, ge=1, le=500),
    ) -> list[dict[str, Any]]:
        """List what happened to messages, in order, or in a mailbox, the latest first; of that, `Link` leads to the next page."""
        if (mailbox is None) == (not id):
            raise BadRequest("name messages, or a mailbox")
        if mailbox is None:
            return [dict(row) for row in await traces.of_messages(id or [])]
        now = datetime.now(UTC).timestamp()
        low = id_floor(now - newer) if newer is not None else UUID(int=0)
        high = id_floor(now - older) if older is not None else _LAST
        rows = await traces.of_mailbox(mailbox, low, min(high, before or high), limit)
        if len(rows) == limit:
            following = request.url.include_query_params(before=rows[-1]["id"].hex)
            response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
        return [{"mailbox_id": mailbox, **row} for row in rows]

    return routes
