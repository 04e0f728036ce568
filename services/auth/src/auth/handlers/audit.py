"""GET /v1/audit: who changed what (docs/decisions/0119)."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from auth.handlers.roles import Asker
from auth.storage.audit import LAST, Audit

Text = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00]*$")]


class AuditEntry(BaseModel):
    """A change of one row. Of secrets only is said that there is one, or another one."""

    number: int
    at: datetime
    actor: str = Field(description="the name of the token; admin: POSTRIDER_ADMIN_TOKEN")
    role: str
    token_id: UUID | None
    source: str | None = Field(description="the client's IP address; null: an operator's, for other roles")
    action: str = Field(description="the operation, as in /docs")
    change: str = Field(description="insert, update or delete")
    kind: str = Field(description="the table")
    object: str
    domain: str | None
    before: dict[str, Any] | None = Field(description="of an update, what was changed")
    after: dict[str, Any] | None


def router(store: Audit) -> APIRouter:
    """Return the route."""
    api = APIRouter(prefix="/v1", tags=["audit"])

    @api.get("/audit", operation_id="audit")
    async def audit(
        who: Asker,
        request: Request,
        response: Response,
        actor: Text | None = None,
        object: Annotated[
            Text | None, Query(description="an address, a domain, a customer, a plan, a token's name")
        ] = None,
        since: AwareDatetime | None = None,
        below: Annotated[int, Query(ge=1, le=LAST, description="the last number of the page before")] = LAST,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[AuditEntry]:
        """List changes, the latest first; while there are more, `Link` leads to the next page."""
        rows = await store.page(who, below, actor, object, since, limit + 1)
        if len(rows) > limit:
            following = request.url.include_query_params(below=rows[limit - 1]["number"])
            response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
        return [
            AuditEntry(**{**row, **{name: row[name] and json.loads(row[name]) for name in ("before", "after")}})
            for row in map(dict, rows[:limit])
        ]

    return api
