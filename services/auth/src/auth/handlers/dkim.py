"""DKIM keys and the rule on sender addresses of a domain, for operators (JSON)."""

from fastapi import APIRouter, Response

from auth.admin import models
from auth.admin.dkim import DkimRules


def router(rules: DkimRules) -> APIRouter:
    """Return the routes below `/v1/domains/{name}`."""
    api = APIRouter(prefix="/v1/domains/{name}")

    @api.get("/dkim", operation_id="dkim_keys", tags=["dkim"])
    async def dkim_keys(name: str) -> list[models.DkimKey]:
        """List a domain's keys with the records to publish. Private keys never leave auth."""
        return await rules.keys(name)

    @api.post("/dkim", operation_id="make_dkim_keys", tags=["dkim"], status_code=201)
    async def make_dkim_keys(name: str) -> list[models.DkimKey]:
        """Make a key for each algorithm that has none; return all keys. Repeating it changes nothing."""
        return await rules.make(name)

    @api.post("/dkim/check", operation_id="check_dkim_keys", tags=["dkim"])
    async def check_dkim_keys(name: str) -> list[models.DkimKey]:
        """Look for the records of new keys now, and sign with those that are published."""
        return await rules.check(name)

    @api.post("/dkim/rotate", operation_id="rotate_dkim_keys", tags=["dkim"])
    async def rotate_dkim_keys(name: str) -> list[models.DkimKey]:
        """Make a successor for each active key; it signs once its record is published."""
        return await rules.rotate(name)

    @api.delete("/dkim", operation_id="remove_dkim_keys", tags=["dkim"], status_code=204)
    async def remove_dkim_keys(name: str) -> Response:
        """Remove all keys: the domain signs nothing from now on."""
        await rules.remove(name)
        return Response(status_code=204)

    @api.put("/identity", operation_id="set_identity", tags=["domains"])
    async def set_identity(name: str, question: models.SetIdentity) -> models.Domain:
        """Set who may use the domain's addresses as sender, and which addresses its mailboxes may use."""
        return await rules.set_identity(name, question)

    return api
