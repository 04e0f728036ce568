"""Domains and mailboxes for operators (JSON)."""

from fastapi import APIRouter, Request, Response

from auth.admin import models
from auth.admin.accounts import AccountRules
from auth.handlers.pages import Asked, cut
from auth.handlers.roles import Asker


def router(rules: AccountRules) -> APIRouter:
    """Return the routes of `/v1/domains` and `/v1/mailboxes`."""
    api = APIRouter(prefix="/v1")

    @api.get("/domains", operation_id="domains", tags=["domains"])
    async def domains(who: Asker, of: Asked, request: Request, response: Response) -> list[models.Domain]:
        """List domains by name; `after` is a name."""
        return cut(await rules.domains(who, of.after, of.asked), of, lambda row: row.name, request, response)

    @api.post("/domains", operation_id="add_domain", tags=["domains"], status_code=201)
    async def add_domain(question: models.NewDomain) -> models.Domain:
        return await rules.add_domain(question)

    @api.get("/domains/{name}", operation_id="domain", tags=["domains"])
    async def domain(name: str) -> models.Domain:
        return await rules.domain(name)

    @api.post("/domains/{name}/close", operation_id="close_domain", tags=["domains"])
    async def close_domain(name: str) -> models.Domain:
        """Step 1 of a removal: no more mail is accepted. Step 2: purge `postmaster_id` in mailstore. Step 3: DELETE."""
        return await rules.close_domain(name)

    @api.delete("/domains/{name}", operation_id="delete_domain", tags=["domains"], status_code=204)
    async def delete_domain(name: str) -> Response:
        """Delete the domain and its forwards; refused (409) while mailboxes other than postmaster's are left."""
        await rules.delete_domain(name)
        return Response(status_code=204)

    @api.put("/domains/{name}/catchall", operation_id="set_catchall", tags=["domains"])
    async def set_catchall(name: str, question: models.SetCatchall) -> models.Domain:
        return await rules.set_catchall(name, question)

    @api.put("/domains/{name}/tags", operation_id="set_tags", tags=["domains"])
    async def set_tags(name: str, question: models.SetTags) -> models.Domain:
        """Set whether mail for name+tag goes to name, unless that address exists itself."""
        return await rules.set_tags(name, question)

    @api.get("/domains/{name}/mailboxes", operation_id="mailboxes", tags=["mailboxes"])
    async def mailboxes(name: str, of: Asked, request: Request, response: Response) -> list[models.Mailbox]:
        """List the domain's mailboxes by address; `after` is an address."""
        return cut(await rules.mailboxes(name, of.after, of.asked), of, lambda row: row.address, request, response)

    @api.post("/mailboxes", operation_id="add_mailbox", tags=["mailboxes"], status_code=201)
    async def add_mailbox(question: models.NewMailbox) -> models.Mailbox:
        return await rules.add_mailbox(question)

    @api.get("/mailboxes/{address}", operation_id="mailbox", tags=["mailboxes"])
    async def mailbox(address: str) -> models.Mailbox:
        return await rules.mailbox(address)

    @api.put("/mailboxes/{address}/password", operation_id="set_password", tags=["mailboxes"])
    async def set_password(address: str, question: models.SetPassword) -> models.Mailbox:
        return await rules.set_password(address, question)

    @api.put("/mailboxes/{address}/quota", operation_id="set_quota", tags=["mailboxes"])
    async def set_quota(address: str, question: models.SetQuota) -> models.Mailbox:
        return await rules.set_quota(address, question)

    @api.post("/mailboxes/{address}/disable", operation_id="disable_mailbox", tags=["mailboxes"])
    async def disable_mailbox(address: str, question: models.Disable | None = None) -> models.Mailbox:
        """End logins, sessions and grants.

        With `removal` this is the first of three steps: then purge in mailstore, then DELETE.
        """
        return await rules.disable(address, question or models.Disable())

    @api.post("/mailboxes/{address}/enable", operation_id="enable_mailbox", tags=["mailboxes"])
    async def enable_mailbox(address: str) -> models.Mailbox:
        return await rules.enable(address)

    @api.delete("/mailboxes/{address}", operation_id="delete_mailbox", tags=["mailboxes"], status_code=204)
    async def delete_mailbox(address: str) -> Response:
        """Delete the mailbox, the last of three steps; refused (409) while it is enabled, and for postmaster (P5)."""
        await rules.delete_mailbox(address)
        return Response(status_code=204)

    return api
