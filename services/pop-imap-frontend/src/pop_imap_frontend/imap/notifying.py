"""A session that sends notifications at any time, as its client asked with NOTIFY (RFC 5465; docs/decisions/0067)."""

import asyncio
from typing import Any

from mailkit.errors import PostriderError
from mailkit.process.report import report
from mailstore_api.wire import FolderInfo, MailboxQuestion, MetadataState, MetadataStateQuestion
from pop_imap_frontend.conversation.watch import COMPARE_SECONDS
from pop_imap_frontend.imap.following import FollowingSession
from pop_imap_frontend.imap.notifier import Notifier, TooManyMailboxes
from pop_imap_frontend.imap.refusals import GONE, Disconnect

#: Seconds until the next attempt if mailstore does not answer.
_AGAIN = 2.0


class NotifyingSession(FollowingSession):
    """Until the client uses NOTIFY, notifications are sent during commands only."""

    async def until_command(self) -> None:
        """Wait for octets of the client, and send notifications meanwhile, if it uses NOTIFY. Raises IdleTimeout, Disconnect."""
        if self.notifier is None:
            return
        arrival = asyncio.ensure_future(self.stream.arrival())
        try:
            while not arrival.done() and self.ending is None:
                await self.hint_or(arrival, COMPARE_SECONDS)
                if not arrival.done():
                    await self._notify(arrival)
        finally:
            arrival.cancel()
        if arrival.done() and not arrival.cancelled():
            arrival.result()

    async def hint_or(self, done: "asyncio.Future[Any]", timeout: float | None = None) -> None:
        """Wait until the account has changed and may be looked at, or `done`; at most `timeout` seconds."""
        notifier = self.notifier
        if notifier is not None and notifier.due and notifier.watches_others:
            left = max(notifier.next_at - asyncio.get_running_loop().time(), 0.0)
            timeout = left if timeout is None else min(left, timeout)
        change: asyncio.Future[Any] = asyncio.ensure_future(self.changed.wait())
        try:
            await asyncio.wait((done, change), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()

    async def _notify(self, arrival: "asyncio.Future[Any]") -> None:
        self._busy = True  # a response is sent whole before a BYE
        try:
            await self.send_notifications(expunges=self.notifier is not None and not self.notifier.delays_expunges)
            await self.stream.drain()
            return
        except PostriderError as error:
            report(error, "notifications")
        finally:
            self._busy = False
        await asyncio.wait({arrival}, timeout=_AGAIN)

    async def send_notifications(self, *, expunges: bool) -> None:
        """Send the changes of the selected mailbox, and of others if they may be compared again. Raises Disconnect.

        Others are compared at intervals also without a hint, which may be lost (docs/decisions/0055).
        """
        if self.changed.is_set():
            if self.selected is None:
                self.take_hint()
            elif not await self._follow(expunges=expunges):
                raise Disconnect(GONE)
        notifier, now = self.notifier, asyncio.get_running_loop().time()
        if notifier is None or not notifier.watches_others:
            return
        if now < notifier.next_at or not (notifier.due or now >= notifier.next_at + COMPARE_SECONDS):
            return
        notifier.due, notifier.next_at = False, now + self.context.notify_seconds
        try:
            folders, metadata = await self.account_state(notifier)
            selected_id = 0 if self.selected is None else self.selected.folder_id
            await self.send(notifier.news(folders, metadata, selected_id, condstore=self.condstore))
        except TooManyMailboxes:
            self.overflow()
        except BaseException:
            notifier.due = True
            raise

    async def account_state(self, notifier: Notifier) -> tuple[list[FolderInfo], MetadataState | None]:
        """Return the account's mailboxes, and its annotations if `notifier` watches them."""
        mailstore = self.context.mailstore
        folders = await mailstore.list_folders(MailboxQuestion(self.mailbox_id, recent=False))
        if not notifier.watches_metadata:
            return folders, None
        return folders, await mailstore.metadata_state(
            MetadataStateQuestion(self.mailbox_id, notifier.metadata_version)
        )
