"""Operators' API: the check of rows, bodies and counters (docs/decisions/0121)."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from mailkit.rpc.app import OPERATORS
from mailstore.upkeep.check import Checker


class CheckRequest(BaseModel):
    """`after`: `next` of the answer before; `mailbox_id`: only this one."""

    model_config = ConfigDict(extra="forbid")

    after: str = Field(default="", max_length=100)
    fix: bool = False
    mailbox_id: UUID | None = None


class Finding(BaseModel):
    """Something that is wrong. `kind`: folder, rendered, counters, quota, body, size, unreferenced."""

    kind: str
    mailbox_id: UUID | None
    folder: str
    detail: str
    fixed: bool


class CheckAnswer(BaseModel):
    """What one call looked at and found. `messages_about`: of all. `next`: call again with it as `after`, until it is null."""

    findings: list[Finding]
    mailboxes: int
    messages: int
    bodies: int
    messages_about: int
    next: str | None


def router(checker: Checker) -> APIRouter:
    """Create the route /v1/check."""
    routes = APIRouter(prefix="/v1", tags=["check"], dependencies=OPERATORS)

    @routes.post("/check", operation_id="check")
    async def check(asked: CheckRequest) -> CheckAnswer:
        """Compare rows, bodies and counters for about two seconds, and repair them if `fix` is true."""
        found = await checker.check(asked.after, fix=asked.fix, only=asked.mailbox_id)
        return CheckAnswer(
            findings=[Finding(**each) for each in found.findings],
            mailboxes=found.mailboxes,
            messages=found.messages,
            bodies=found.bodies,
            messages_about=found.messages_about,
            next=found.following,
        )

    return routes
