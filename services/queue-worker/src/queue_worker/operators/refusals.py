"""GET /v1/trace/refusals: what smtp-gateway refused, whose it was, by which rule, and the reply (docs/decisions/0069)."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from mailkit.ids import id_floor
from mailkit.rpc.app import OPERATORS
from queue_worker.operators.filters import Text
from queue_worker.operators.trace import LAST, WINDOW, TraceVerdict
from queue_worker.storage.refusals import RefusalRows, WantedRefusals
from queue_worker.storage.verdicts import of_text


class RefusalRecord(BaseModel):
    """A refused command with its transaction; with `times` over 1, that many refusals by a rule that were not recorded singly."""

    id: UUID
    at: datetime
    client_address: str | None
    listener: str
    tls: str | None
    helo: str | None
    by: str
    """The right to relay: `auth` (SMTP AUTH), `grant` (OPEN-SMTP) or `none`."""
    account: UUID | None
    account_address: str | None
    sender: str | None
    recipients: list[str]
    """The one that was refused, or up to 20 of those accepted before."""
    recipient_count: int
    """Recipients accepted before."""
    size: int
    """Octets of the message, as far as it was read, else as declared."""
    command: str
    rule: str
    """The row of docs/contract.md, or the reason that `postrider_gateway_rejected_total` counts."""
    reply: str
    times: int
    verdicts: list[TraceVerdict]


def router(store: RefusalRows) -> APIRouter:
    """Return the route /v1/trace/refusals."""
    routes = APIRouter(tags=["trace"], dependencies=OPERATORS)

    @routes.get("/v1/trace/refusals", operation_id="refusals", response_model=list[RefusalRecord])
    async def refusals(
        request: Request,
        response: Response,
        account: UUID | None = Query(default=None, description="the mailbox whose login or grant was used"),
        address: Text | None = Query(default=None, description="the sender's, or a recipient's"),
        client: Text | None = Query(default=None, description="the client's IP address"),
        rule: Text | None = Query(default=None, description="the row of the contract, or the reason"),
        newer: Annotated[int | None, Query(ge=0, le=10**9, description="within this number of seconds")] = None,
        older: Annotated[int | None, Query(ge=0, le=10**9, description="longer ago than this")] = None,
        before: UUID | None = Query(default=None, description="the last id of the page before"),
        limit: int = Query(default=100, ge=1, le=500),
    ) -> list[dict[str, Any]]:
        """List refusals, the latest first, for as long as the history is kept.

        A page looks at some thousand refusals and may be empty: while there are more, `Link` leads to the next page.
        """
        now = datetime.now(UTC).timestamp()
        low = id_floor(now - newer) if newer is not None else UUID(int=0)
        high = id_floor(now - older) if older is not None else LAST
        wanted = WantedRefusals(account, address.lower() if address else None, client, rule)
        rows, last = await store.matching(low, min(high, before or high), wanted, WINDOW, limit)
        if last is not None:
            following = request.url.include_query_params(before=last.hex)
            response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
        return [{**dict(row), "verdicts": of_text(row["verdicts"])} for row in rows]

    return routes
