"""GET /v1/trace: logins, and changes of accounts, forwards, grants and domains (docs/decisions/0081)."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from auth.handlers.roles import Asker, named
from auth.storage.events import Events, WantedEvents
from mailkit.ids import id_floor

#: Events that one page looks at.
WINDOW = 5000
_LAST = UUID(int=2**128 - 1)
Text = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00]*$")]


class AccountEvent(BaseModel):
    """A login, or a change."""

    id: UUID
    at: datetime
    """Of logins within an hour from one network: of the first."""
    event: str
    address: str
    """The mailbox, forward or domain, or the entry of badmailfrom."""
    mailbox_id: UUID | None
    client: str | None
    """Of a login or a grant: the client's IP address."""
    protocol: str | None
    detail: str
    """`grant`: the login gave one. Of a change: its value."""


def router(events: Events) -> APIRouter:
    """Return the route /v1/trace."""
    api = APIRouter(prefix="/v1", tags=["trace"])

    @api.get("/trace", operation_id="trace", response_model=list[AccountEvent])
    async def trace(
        who: Asker,
        request: Request,
        response: Response,
        address: Text | None = Query(default=None, description="a mailbox, a forward, a domain"),
        client: Text | None = Query(default=None, description="a client's IP address"),
        newer: Annotated[int | None, Query(ge=0, le=10**9, description="within this number of seconds")] = None,
        older: Annotated[int | None, Query(ge=0, le=10**9, description="longer ago than this")] = None,
        before: UUID | None = Query(default=None, description="the last id of the page before"),
        limit: int = Query(default=100, ge=1, le=500),
    ) -> list[dict[str, Any]]:
        """List logins and changes, the latest first, for as long as the history is kept.

        A page looks at some thousand events and may be empty: while there are more, `Link` leads to the next page.
        """
        named(who, address, "address")
        now = datetime.now(UTC).timestamp()
        low = id_floor(now - newer - 3600) if newer is not None else UUID(int=0)  # a login's id has its hour
        high = id_floor(now - older) if older is not None else _LAST
        wanted = WantedEvents(address.lower() if address else None, client)
        rows, last = await events.matching(low, min(high, before or high), wanted, WINDOW, limit)
        if last is not None:
            following = request.url.include_query_params(before=last.hex)
            response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
        return [dict(row) for row in rows if newer is None or row["at"].timestamp() >= now - newer]

    return api
