"""Operators' API: the contents of a mailbox in numbers, and its removal."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from mailkit.rpc.app import OPERATORS
from mailstore.reading.usage import Usage
from mailstore.writing.purge import Purger


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


def router(usage: Usage, purger: Purger) -> APIRouter:
    """Create the routes under /v1/mailboxes."""
    routes = APIRouter(prefix="/v1/mailboxes", tags=["mailboxes"], dependencies=OPERATORS)

    @routes.get("/{mailbox_id}", operation_id="show_usage")
    async def show(mailbox_id: UUID) -> MailboxUsage:
        contents = await usage.contents(mailbox_id)
        account = contents.account
        return MailboxUsage(
            id=mailbox_id,
            usage=account.usage,
            quota_limit=account.quota.limit,
            purged=contents.purged,
            folders=contents.folders,
            messages=account.messages,
            message_limit=account.charge.most_messages,
            charged=account.charged,
        )

    @routes.delete("/{mailbox_id}", operation_id="purge_mailbox")
    async def remove(mailbox_id: UUID) -> Purged:
        return Purged(removed=await purger.purge(mailbox_id))

    return routes
