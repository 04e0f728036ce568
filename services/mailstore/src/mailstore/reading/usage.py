"""Usage of mailboxes: whether a message fits, which the gateway asks at RCPT, and the numbers for operators and owners.

Decisions 5 and 35.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from mailstore.model.quota import Account, Charge, Quota
from mailstore.storage.mailboxes import Mailbox, Mailboxes
from mailstore_api.wire import QuotaAnswer, QuotaQuestion, RoomQuestion

Answer = Literal["room", "full", "never", "gone"]


@dataclass(frozen=True)
class Contents:
    """Contents and limits of a mailbox; one not used yet is empty."""

    account: Account
    purged: bool
    folders: list[str]


class Usage:
    """Usage and limits of mailboxes."""

    def __init__(self, mailboxes: Mailboxes, charge: Charge) -> None:
        self._mailboxes = mailboxes
        self._charge = charge

    async def fits(self, items: Sequence[RoomQuestion]) -> list[Answer]:
        """Return for each item, in order, whether the message fits (mailstore_api.wire.RoomAnswers)."""
        known = await self._mailboxes.usage([item.mailbox_id for item in items])
        return [self._answer(item, known.get(item.mailbox_id)) for item in items]

    async def quota(self, question: QuotaQuestion) -> QuotaAnswer:
        """Return the usage and the limits of one mailbox (RFC 9208)."""
        account = self._account((await self._mailboxes.usage([question.mailbox_id])).get(question.mailbox_id))
        account.learn(Quota(question.quota_limit, question.limit_version))
        return QuotaAnswer(account.charged, account.quota.limit, account.messages, account.charge.most_messages)

    async def contents(self, mailbox_id: UUID) -> Contents:
        """Return the contents of one mailbox."""
        mailbox = (await self._mailboxes.usage([mailbox_id])).get(mailbox_id)
        folders = await self._mailboxes.folder_names(mailbox_id)
        return Contents(self._account(mailbox), mailbox is not None and mailbox.purged, folders)

    def _answer(self, item: RoomQuestion, mailbox: Mailbox | None) -> Answer:
        if mailbox is not None and mailbox.purged:
            return "gone"
        account = self._account(mailbox)
        account.learn(Quota(item.quota_limit, item.limit_version))
        if account.never_fits(item.size):
            return "never"
        return "room" if account.fits(item.size) else "full"

    def _account(self, mailbox: Mailbox | None) -> Account:
        return Account(charge=self._charge) if mailbox is None else mailbox.account(self._charge)
