"""/v1/suppressions: addresses to which mail is no longer tried, because they bounced hard (docs/decisions/0086)."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from mailkit.errors import NotFound
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.rpc.app import OPERATORS
from queue_worker.delivery.suppression import Suppression
from queue_worker.operators.filters import Text

log = get_logger()
_FIRST = UUID(int=0)


class SuppressedAddress(BaseModel):
    """An address that remote hosts refused for good, and whose mail it was."""

    address: str
    account: UUID
    """The account whose mail is not tried; of a client without one an id made of its address (docs/decisions/0036)."""
    bounces: int
    status: str
    reply: str
    """The last refusal."""
    since: datetime
    expires: datetime


class Removed(BaseModel):
    """How many entries were removed."""

    removed: int


def router(suppression: Suppression, clock: Clock) -> APIRouter:
    """Return the routes under /v1/suppressions."""
    routes = APIRouter(prefix="/v1/suppressions", tags=["queue"], dependencies=OPERATORS)

    @routes.get("", operation_id="list_suppressions")
    async def ls(
        request: Request,
        response: Response,
        address: Text | None = Query(default=None, description="only this one"),
        after: Text | None = Query(default=None, description="the last address of the page before"),
        after_account: UUID = Query(default=_FIRST, description="the last account of the same"),
        limit: int = Query(default=200, ge=1, le=1000),
    ) -> list[SuppressedAddress]:
        """List suppressed addresses in their order; `Link` leads to the next page. Empty if POSTRIDER_SUPPRESS_AFTER is 0."""
        if not suppression.after:
            return []
        wanted = address.lower() if address else None
        found = await suppression.rows.page((after or "", after_account), wanted, suppression.after, clock.now(), limit)
        if len(found) == limit:
            following = request.url.include_query_params(after=found[-1].address, after_account=str(found[-1].flow))
            response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
        return [
            SuppressedAddress(
                address=row.address,
                account=row.flow,
                bounces=row.bounces,
                status=row.status,
                reply=row.reply,
                since=row.since,
                expires=row.expires,
            )
            for row in found
        ]

    @routes.delete("", operation_id="delete_suppression")
    async def rm(
        address: Text = Query(description="the address"),
        account: UUID | None = Query(default=None, description="only of this account"),
    ) -> Removed:
        """Forget the bounces of an address: mail to it is tried again."""
        removed = await suppression.rows.remove(address.lower(), account)
        if not removed:
            raise NotFound(f"no bounces of {address} are remembered")
        log.info("suppression_removed", to=address, account=account, count=removed)
        return Removed(removed=removed)

    return routes
