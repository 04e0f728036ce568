"""Forwards, badmailfrom and grants for operators (JSON)."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from auth.admin import models
from auth.admin.aliases import AliasRules, grant_key
from auth.handlers.pages import Asked, cut
from auth.handlers.roles import Asker, named


def router(rules: AliasRules) -> APIRouter:
    """Return the routes of `/v1/forwards`, `/v1/badmailfrom` and `/v1/grants`."""
    api = APIRouter(prefix="/v1")

    @api.get("/forwards", operation_id="forwards", tags=["forwards"])
    async def forwards(
        who: Asker, of: Asked, request: Request, response: Response, domain: str | None = None
    ) -> list[models.Forward]:
        """List forwards by address; `after` is an address."""
        domain = domain or who.domain
        named(who, domain, "domain")
        rows = await rules.forwards(domain, of.after, of.asked)
        return cut(rows, of, lambda row: row.address, request, response)

    @api.post("/forwards", operation_id="add_forward", tags=["forwards"], status_code=201)
    async def add_forward(question: models.NewForward) -> models.Forward:
        return await rules.add_forward(question)

    @api.put("/forwards/{address}", operation_id="set_forward", tags=["forwards"])
    async def set_forward(address: str, question: models.SetForward) -> models.Forward:
        """Set what an address forwards to, in place of what it forwarded to before; no mail meets a moment between."""
        return await rules.set_forward(address, question)

    @api.delete("/forwards/{address}", operation_id="delete_forward", tags=["forwards"], status_code=204)
    async def delete_forward(address: str) -> Response:
        await rules.delete_forward(address)
        return Response(status_code=204)

    @api.get("/badmailfrom", operation_id="badmailfrom", tags=["badmailfrom"])
    async def badmailfrom(of: Asked, request: Request, response: Response) -> list[models.BadMailFrom]:
        """List badmailfrom by entry; `after` is an entry."""
        return cut(await rules.badmailfrom(of.after, of.asked), of, lambda row: row.entry, request, response)

    @api.post("/badmailfrom", operation_id="add_badmailfrom", tags=["badmailfrom"], status_code=201)
    async def add_badmailfrom(question: models.NewBadMailFrom) -> models.BadMailFrom:
        return await rules.add_badmailfrom(question)

    @api.delete("/badmailfrom/{entry}", operation_id="delete_badmailfrom", tags=["badmailfrom"], status_code=204)
    async def delete_badmailfrom(entry: str) -> Response:
        await rules.delete_badmailfrom(entry)
        return Response(status_code=204)

    @api.get("/grants", operation_id="grants", tags=["grants"])
    async def grants(
        who: Asker,
        of: Asked,
        request: Request,
        response: Response,
        address: str | None = None,
        mailbox: str | None = None,
    ) -> list[models.Grant]:
        """List unexpired grants, of all or of one client address or mailbox.

        They are in the order of client address and mailbox; `after` is `address,mailbox_id`.
        """
        named(who, mailbox, "mailbox")
        return cut(await rules.grants(address, mailbox, of.after, of.asked), of, grant_key, request, response)

    @api.delete("/grants", operation_id="revoke_grants", tags=["grants"])
    async def revoke_grants(who: Asker, address: str | None = None, mailbox: str | None = None) -> list[models.Grant]:
        """End the grants of one client address, of one mailbox, or the one of both; return those that were ended."""
        named(who, mailbox, "mailbox")
        return await rules.revoke(address, mailbox)

    @api.delete("/grants/{grant_id}", operation_id="revoke_grant", tags=["grants"])
    async def revoke_grant(grant_id: UUID) -> list[models.Grant]:
        return await rules.revoke(grant=grant_id)

    return api
