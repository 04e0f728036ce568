"""The rules for the rename of a mailbox (P5, docs/decisions/0122)."""

from auth.addresses import parse_own
from auth.admin import models
from auth.admin.accounts import AccountRules
from auth.admin.questions import Question
from auth.storage.renames import Renames
from mailkit.errors import BadRequest, Conflict
from mailkit.mail.address import BadAddress


class RenameMailbox(Question):
    """The new address, in the same domain or another one of the same customer. `keep_old`: mail to the old one comes too."""

    to: str
    keep_old: bool = True


class RenameRules:
    """The JSON API's rename of a mailbox."""

    def __init__(self, store: Renames, accounts: AccountRules) -> None:
        self._store = store
        self._accounts = accounts

    async def rename(self, address: str, question: RenameMailbox) -> models.Mailbox:
        """Rename a mailbox; its sessions, grants and passwords stay. Raises BadRequest, NotFound, Conflict."""
        try:
            old, new = parse_own(address), parse_own(question.to)
        except BadAddress as error:
            raise BadRequest(str(error)) from error
        if "postmaster@" in (old.key[:11], new.key[:11]):
            raise Conflict("every domain has its own postmaster, which is neither renamed nor another mailbox's name")
        if old.key == new.key:
            raise Conflict(f"{old.key} has this name")
        await self._store.rename(old.key, new.key, new.domain, keep_old=question.keep_old)
        return await self._accounts.mailbox(new.key)
