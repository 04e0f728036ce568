"""The rename of a mailbox for operators (JSON)."""

from fastapi import APIRouter

from auth.admin import models
from auth.admin.renames import RenameMailbox, RenameRules


def router(rules: RenameRules) -> APIRouter:
    """Return the route of a rename."""
    api = APIRouter(prefix="/v1")

    @api.post("/mailboxes/{address}/rename", operation_id="rename_mailbox", tags=["mailboxes"])
    async def rename_mailbox(address: str, question: RenameMailbox) -> models.Mailbox:
        """Give a mailbox another address, with everything kept; by default the old one forwards to it."""
        return await rules.rename(address, question)

    return api
