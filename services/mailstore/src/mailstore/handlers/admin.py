"""Operators' view of a mailbox: what it holds, and its removal."""

from uuid import UUID

import asyncpg
from fastapi import APIRouter
from pydantic import BaseModel

from bodystore import BodyStore
from mailkit.clock import Clock
from mailkit.db import translated
from mailkit.web import OPERATORS
from mailstore.purge import purge
from mailstore.storage.store import sql


class MailboxUsage(BaseModel):
    """What a mailbox holds; a mailbox that nobody used yet is empty."""

    id: UUID
    usage: int
    quota_limit: int
    purged: bool
    folders: list[str]


class Purged(BaseModel):
    removed: int


def router(pool: asyncpg.Pool, bodies: BodyStore, clock: Clock) -> APIRouter:
    """The routes under /v1/mailboxes."""
    routes = APIRouter(prefix="/v1/mailboxes", tags=["mailboxes"], dependencies=OPERATORS)

    @routes.get("/{mailbox_id}", operation_id="show_usage")
    async def show(mailbox_id: UUID) -> MailboxUsage:
        async with translated():
            row = await pool.fetchrow(sql.sizes, [mailbox_id])
            folders = await pool.fetch(sql.list_folders, mailbox_id)
        names = [folder["name"] for folder in folders]
        if row is None:
            return MailboxUsage(id=mailbox_id, usage=0, quota_limit=0, purged=False, folders=names)
        return MailboxUsage(
            id=mailbox_id, usage=row["usage"], quota_limit=row["quota_limit"], purged=row["purged"], folders=names
        )

    @routes.delete("/{mailbox_id}", operation_id="purge_mailbox")
    async def remove(mailbox_id: UUID) -> Purged:
        return Purged(removed=await purge(pool, bodies, clock, mailbox_id))

    return routes
