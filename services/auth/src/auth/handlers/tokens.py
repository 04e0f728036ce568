"""Tokens of the JSON API."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from auth.admin import tokens as models
from auth.admin.tokens import TokenRules, record_of
from auth.handlers.pages import Asked, cut
from auth.handlers.roles import Asker


def router(rules: TokenRules) -> APIRouter:
    """Return the routes of `/v1/tokens`, and `/v1/caller`."""
    api = APIRouter(prefix="/v1", tags=["tokens"])

    @api.get("/caller", operation_id="caller")
    async def caller(who: Asker) -> models.CallerRecord:
        """Return the role of the request's own token, and what it is confined to."""
        return record_of(who)

    @api.get("/tokens", operation_id="tokens")
    async def tokens(
        who: Asker, of: Asked, request: Request, response: Response, domain: str | None = None
    ) -> list[models.IssuedToken]:
        """List tokens, without their texts, of all or of one domain; `after` is an id."""
        rows = await rules.tokens(who, domain, of.after, of.asked)
        return cut(rows, of, lambda row: str(row.id), request, response)

    @api.post("/tokens", operation_id="add_token", status_code=201)
    async def add_token(who: Asker, question: models.NewTokenQuestion) -> models.MadeToken:
        """Make a token; the answer is the only one that has its text."""
        return await rules.add(who, question)

    @api.post("/tokens/{token_id}/rotate", operation_id="rotate_token")
    async def rotate_token(token_id: UUID, question: models.RotateToken | None = None) -> models.MadeToken:
        """Give a token another text; the old one is accepted for the chosen time."""
        return await rules.rotate(token_id, question or models.RotateToken())

    @api.delete("/tokens/{token_id}", operation_id="revoke_token", status_code=204)
    async def revoke_token(token_id: UUID) -> Response:
        """Revoke a token, from the next request on."""
        await rules.revoke(token_id)
        return Response(status_code=204)

    return api
