"""Advice on a domain's DNS records, for operators (JSON)."""

from typing import Annotated

from fastapi import APIRouter, Query

from auth.admin import models
from auth.admin.zones import ZoneAdvice
from mailauth.advice.report import MOST_SENDING


def router(advice: ZoneAdvice) -> APIRouter:
    """Return the route."""
    api = APIRouter(prefix="/v1/domains/{name}")

    @api.get("/dns", operation_id="domain_dns", tags=["domains"])
    async def domain_dns(
        name: str,
        sending: Annotated[
            list[models.HostName] | None,
            Query(
                max_length=MOST_SENDING,
                description="the HELO names that its mail leaves by, instead of the configured ones",
            ),
        ] = None,
    ) -> models.ZoneReport:
        """Look at the domain's DNS records now: which should exist, which do, and what is wrong. Takes up to 6 seconds."""
        return await advice.of(name, sending)

    return api
