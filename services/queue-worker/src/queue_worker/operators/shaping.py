"""GET /v1/queue/shaping: what this worker sends to each operator of mail hosts, and what it holds back (docs/decisions/0101)."""

import asyncio
from datetime import datetime, timedelta

from fastapi import APIRouter
from pydantic import BaseModel

from mailkit.process.clock import Clock
from mailkit.rpc.app import OPERATORS
from queue_worker.delivery.shaping import Shaped, Shaping


class ShapedOperator(BaseModel):
    """An operator of mail hosts, as the worker that answers sees it; each has its own limits."""

    name: str
    suffixes: list[str]
    """Ends of the names of its MX hosts."""
    conversations: int
    """Under way now."""
    conversations_max: int
    """Allowed now; fewer than configured after replies that asked for less."""
    per_minute: int
    """Recipients a minute that are allowed; 0: no limit."""
    paused_until: datetime | None
    """Nothing begins before; null if nothing is paused."""
    reply: str
    """The reply that asked for less, until the limit is as it was."""
    limited: int
    """Such replies since the worker started."""


def shaped_operator(each: Shaped, now: datetime) -> ShapedOperator:
    """Return the state of an operator as operators of the service see it."""
    return ShapedOperator(
        name=each.operator.name,
        suffixes=list(each.operator.suffixes),
        conversations=each.conversations,
        conversations_max=each.cap,
        per_minute=each.operator.per_minute,
        paused_until=now + timedelta(seconds=each.paused) if each.paused else None,
        reply=each.reply,
        limited=each.limited,
    )


def router(shaping: Shaping, clock: Clock) -> APIRouter:
    """Return the route /v1/queue/shaping."""
    routes = APIRouter(tags=["queue"], dependencies=OPERATORS)

    @routes.get("/v1/queue/shaping", operation_id="list_shaping")
    async def ls() -> list[ShapedOperator]:
        """List the operators whose hosts serve many domains, with their limits and pauses."""
        now = clock.now()
        return [shaped_operator(each, now) for each in shaping.shaped(asyncio.get_running_loop().time())]

    return routes


def held_back(shaping: Shaping, address: str, due: datetime | None, now: datetime) -> str | None:
    """Return why a remote recipient that is due is not tried; None if it is not for shaping."""
    if due is None or due > now:
        return None
    return shaping.why(address.rpartition("@")[2].lower(), asyncio.get_running_loop().time())
