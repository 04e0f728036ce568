"""Domains that move in from an old host, for operators (JSON)."""

from fastapi import APIRouter, Request, Response

from auth.admin.move_models import DomainMove, SetMove
from auth.admin.moves import MoveRules
from auth.handlers.pages import Asked, cut


def router(rules: MoveRules) -> APIRouter:
    """Return the routes of moves."""
    api = APIRouter(prefix="/v1", tags=["moves"])

    @api.get("/moves", operation_id="moves")
    async def moves(of: Asked, request: Request, response: Response) -> list[DomainMove]:
        """List moves by domain; `after` is a domain."""
        return cut(await rules.moves(of.after, of.asked), of, lambda row: row.domain, request, response)

    @api.get("/domains/{name}/move", operation_id="move")
    async def move(name: str) -> DomainMove:
        return await rules.move(name)

    @api.put("/domains/{name}/move", operation_id="start_move")
    async def start_move(name: str, question: SetMove) -> DomainMove:
        """Let the old host have the domain's mail and logins, or name other servers of it. The queue needs a route to it first."""
        return await rules.start(name, question)

    @api.post("/domains/{name}/move/switch", operation_id="switch_move")
    async def switch_move(name: str) -> DomainMove:
        """Let mail and logins be here; what is unknown here still goes to the old host. Open sessions end."""
        return await rules.switch(name)

    @api.post("/domains/{name}/move/back", operation_id="back_move")
    async def back_move(name: str) -> DomainMove:
        """Let mail and logins be at the old host again. Open sessions end."""
        return await rules.back(name)

    @api.delete("/domains/{name}/move", operation_id="end_move", status_code=204)
    async def end_move(name: str) -> Response:
        """Forget the old host; refused (409) before the switch."""
        await rules.end(name)
        return Response(status_code=204)

    return api
