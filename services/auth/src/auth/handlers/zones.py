"""Advice on a domain's DNS records, for operators (JSON)."""

from fastapi import APIRouter

from auth.admin import models
from auth.admin.zones import ZoneAdvice


def router(advice: ZoneAdvice) -> APIRouter:
    """Return the route."""
    api = APIRouter(prefix="/v1/domains/{name}")

    @api.get("/dns", operation_id="domain_dns", tags=["domains"])
    async def domain_dns(name: str) -> models.ZoneReport:
        """Look at the domain's DNS records now: which should exist, which do, and what is wrong. Takes up to 6 seconds."""
        return await advice.of(name)

    return api
