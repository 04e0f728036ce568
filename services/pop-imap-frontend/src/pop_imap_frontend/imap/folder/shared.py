"""A folder as this process knows it: its newest state, and questions about its changes that its sessions ask as one."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from mailkit.rpc.batch import Batcher
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import Changes, ChangesQuestion, DaysQuestion, Order, OrderQuestion
from pop_imap_frontend.imap.folder.chunk import MOST_MESSAGES
from pop_imap_frontend.imap.folder.days import FolderDays
from pop_imap_frontend.imap.folder.messages import FolderMessages
from pop_imap_frontend.imap.folder.order import FolderOrder, read_order
from pop_imap_frontend.imap.responses import FlagNames

#: Limit of the orders that are kept of a folder.
MOST_ORDERS = 2


class FolderState(NamedTuple):
    """A folder at one MODSEQ."""

    modseq: int
    uidnext: int
    names: FlagNames
    messages: FolderMessages


class SharedFolder:
    """One folder of a mailbox, which keeps its id if it is renamed."""

    def __init__(
        self, mailstore: MailstoreClient, mailbox_id: UUID, name: str, folder_id: int, state: FolderState
    ) -> None:
        self.key = mailbox_id, name
        """Mailbox, and the name under which the folder was opened."""
        self.folder_id = folder_id
        self.state = state
        self.octets = 0
        """What it is counted for among the folders kept."""
        self._mailstore = mailstore
        self._mailbox_id = mailbox_id
        self._questions = Batcher(self._ask)
        self._days = FolderDays()
        self._reading_days = asyncio.Lock()
        self._orders: dict[str, FolderOrder] = {}
        self._ordering = asyncio.Lock()

    async def changes(self, since: int, *, take_recent: bool) -> Changes:
        """Ask for the changes after MODSEQ `since`; they may include earlier ones. `take_recent`: claim the \\Recent messages.

        Sessions that ask while a question is under way share the next one, so an answer is never older than the question.
        """
        return await self._questions.ask((since, take_recent))

    async def _ask(self, asked: Sequence[tuple[int, bool]]) -> list[Changes]:
        """Ask once for all; \\Recent messages that this claims belong to the first session that claims them."""
        since = min(since for since, _ in asked)
        answer = await self._question(since, any(take for _, take in asked))
        if answer.status == "expired" and any(other != since for other, _ in asked):
            return [await self._question(*each) for each in asked]
        others = msgspec.structs.replace(answer, recent_from=0)
        answers = []
        for _, take in asked:
            answers.append(answer)
            if take:
                answer = others
        return answers

    async def _question(self, since: int, take_recent: bool) -> Changes:
        return await self._mailstore.changes(
            ChangesQuestion(self._mailbox_id, self.folder_id, since, take_recent=take_recent)
        )

    async def days(self, messages: FolderMessages) -> FolderDays | None:
        """Return the days of `messages`, reading those not known yet; None if the folder is gone."""
        last_uid = messages.last_uid()
        async with self._reading_days:
            if len(self._days) > 2 * len(messages) + MOST_MESSAGES:  # most of them were expunged
                self._days = FolderDays()
            days, more = self._days, self._days.last_uid < last_uid
            while more:
                answer = await self._mailstore.days(DaysQuestion(self._mailbox_id, self.folder_id, days.last_uid))
                if answer.status == "gone":
                    return None
                more = answer.more
                days.add(answer.uids, answer.days, 0 if more else last_uid)
        return days

    async def order(self, key: str, messages: FolderMessages) -> FolderOrder | None:
        """Return `messages` in the order of `key`; None if it cannot be known, as of messages of an earlier time.

        The MOST_ORDERS asked for last are kept.
        """

        async def ask(after: int) -> Order:
            return await self._mailstore.order(OrderQuestion(self._mailbox_id, self.folder_id, key, after))

        async with self._ordering:
            known = self._orders.pop(key, None)
            found = None if known is None else await known.of(messages, ask)
            behind = known is not None and messages.last_uid() < known.messages.last_uid()
            if found is None and not behind:
                found = await read_order(key, messages, ask)
            kept = known if behind or found is None else found
            if kept is not None:
                self._orders[key] = kept
            if len(self._orders) > MOST_ORDERS:
                del self._orders[next(iter(self._orders))]
        return found

    def state_octets(self) -> int:
        """Return about how much memory the newest state takes, with the days and the orders."""
        orders = sum(order.octets() for order in self._orders.values())
        return self.state.messages.octets() + self._days.octets() + orders

    def share(self, state: FolderState) -> FolderState:
        """Return the newest state for a session that is at `state`, or `state` itself if another session is ahead of it."""
        if state.modseq > self.state.modseq:
            self.state = state
        return self.state if state.modseq == self.state.modseq else state
