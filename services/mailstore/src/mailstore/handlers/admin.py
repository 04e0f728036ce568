"""Operators' API: the contents of a mailbox in numbers, and its removal."""

from uuid import UUID

import asyncpg
from fastapi import APIRouter
from pydantic import BaseModel

from bodystore import BodyStore
from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailkit.rpc.app import OPERATORS
from mailstore.model.quota import Account, Charge
from mailstore.storage.store import sql
from mailstore.writing.purge import purge


class MailboxUsage(BaseModel):
    """Contents and limits of a mailbox; a mailbox not yet used is empty."""

    id: UUID
    usage: int
    quota_limit: int
    purged: bool
    folders: list[str]
    messages: int = 0
    """In all folders."""
    message_limit: int = 0
    charged: int = 0
    """Octets that count against `quota_limit`: `usage` and the messages' rows."""


class Purged(BaseModel):
    removed: int


def router(pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, charge: Charge) -> APIRouter:
    """Create the routes under /v1/mailboxes."""
    routes = APIRouter(prefix="/v1/mailboxes", tags=["mailboxes"], dependencies=OPERATORS)

    @routes.get("/{mailbox_id}", operation_id="show_usage")
    async def show(mailbox_id: UUID) -> MailboxUsage:
        async with translated():
            row = await pool.fetchrow(sql.sizes, [mailbox_id])
            folders = await pool.fetch(sql.folder_names, mailbox_id)
        names = [folder["name"] for folder in folders]
        account = Account.of(row, charge)
        return MailboxUsage(
            id=mailbox_id, usage=account.usage, quota_limit=account.limit, purged=row is not None and row["purged"],
            folders=names, messages=account.messages, message_limit=charge.most_messages, charged=account.charged,
        )  # fmt: skip

    @routes.delete("/{mailbox_id}", operation_id="purge_mailbox")
    async def remove(mailbox_id: UUID) -> Purged:
        return Purged(removed=await purge(pool, bodies, clock, mailbox_id))

    return routes
