"""The selected folder of a session: its view, kept up to date with responses to the client (RFC 3501 5.2, 7; RFC 7162).

The feed is only a hint; MODSEQ decides (decision 8).
"""

import asyncio
from array import array
from collections.abc import Iterator

import msgspec

from mailkit.errors import PostriderError
from mailkit.net.listener import Peer
from mailkit.net.stream import Stream
from mailkit.process.report import report
from mailstore_api.wire import Changes, FetchQuestion
from pop_imap_frontend.conversation.session import Session
from pop_imap_frontend.imap.context import ImapContext
from pop_imap_frontend.imap.fetch import FetchItems
from pop_imap_frontend.imap.folder.messages import uids_of
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.modseqs import MessageModseqs
from pop_imap_frontend.imap.notifier import Notifier
from pop_imap_frontend.imap.refusals import GONE, BadCommand, Disconnect, No
from pop_imap_frontend.imap.rows import RowWriter, send_rows
from pop_imap_frontend.imap.state import ImapState

#: Names of ENABLE with which a client reads UTF-8.
WITH_UTF8 = ("UTF8=ACCEPT", "IMAP4REV2")
#: Limit of the new messages of which a notification sends items; more are too much (RFC 5465 5.8).
MOST_SENT = 1000


class FollowingSession(Session):
    """A session that follows the changes of the folder it has selected."""

    follows_changes = True
    protocol = "imap"
    context: ImapContext

    def __init__(self, stream: Stream, peer: Peer, context: ImapContext) -> None:
        super().__init__(stream, peer, context)
        self.state = ImapState.NOT_AUTHENTICATED
        self.selected: FolderView | None = None
        self.condstore = self.qresync = False
        """Whether the client uses CONDSTORE, and QRESYNC, which includes it (RFC 7162)."""
        self.enabled: set[str] = set()
        """Those of WITH_UTF8 that the client has enabled."""
        self.notifier: Notifier | None = None
        """What the client wants to know of at any time; None until it uses NOTIFY, and then its notifications are as before it."""
        self._gone: set[int] = set()  # expunged UIDs that are still in the view

    def select(self, view: FolderView | None) -> None:
        self.selected = view
        self._gone.clear()
        self._show_modseqs()
        self.state = ImapState.AUTHENTICATED if view is None else ImapState.SELECTED

    @property
    def utf8(self) -> bool:
        """Whether mailbox names are UTF-8, and quoted strings may have it (RFC 9755 3)."""
        return bool(self.enabled)

    @property
    def rev2(self) -> bool:
        """Whether the client speaks IMAP4rev2 (RFC 9051), which has no \\Recent, and UTF-8 always."""
        return "IMAP4REV2" in self.enabled

    @property
    def view(self) -> FolderView:
        assert self.selected is not None
        return self.selected

    def writable(self) -> FolderView:
        """Return the selected folder; raises No if it is open read-only."""
        if self.view.read_only:
            raise No("[READ-ONLY] the mailbox was opened with EXAMINE")
        return self.view

    @property
    def followed(self) -> tuple[int, int] | None:
        return None if self.selected is None else (self.selected.folder_id, self.selected.modseq)

    # -- changes

    async def send_changes(self) -> None:
        """Bring the view up to date and send the changes. Raises Disconnect if the folder is gone or changed too much."""
        if not await self._follow():
            raise Disconnect(GONE)

    async def send_late_changes(self) -> str | None:
        """Send changes before the tagged response of a completed command; return why the session must end, if it must."""
        try:
            await self.send_changes()
        except Disconnect as error:
            return str(error)
        except PostriderError as error:  # the next command asks again
            report(error, "changes")
        return None

    async def unselect_if_gone(self) -> None:
        """Leave the selected state if the selected folder itself is gone, whatever its name was."""
        if self.selected is None:
            return
        try:
            if not await self._follow():
                self.select(None)
        except PostriderError as error:
            report(error, "changes")

    async def send_flags(self) -> None:
        """Bring the view up to date, if it may not be, but for expunged messages, which stay in it until `send_changes`.

        For commands during which EXPUNGE and VANISHED responses are forbidden. Raises Disconnect if the folder is gone.
        """
        if self.changed.is_set() and not await self._follow(expunges=False):
            raise Disconnect(GONE)

    async def _follow(self, *, expunges: bool = True) -> bool:
        """Bring the view up to date and send the changes; False if the folder is gone."""
        view = self.view
        self.take_hint()
        wanted = None if self.notifier is None else self.notifier.selected
        if self.notifier is not None and wanted is None:
            return True  # the client wants no events of messages (RFC 5465 3.1)
        try:
            changes = await view.folder.changes(view.modseq, take_recent=not (view.read_only or self.rev2))
        except PostriderError:
            self.changed.set()
            raise
        if changes.status == "gone":
            return False
        if changes.status != "ok":
            raise Disconnect("the selected mailbox changed too much; connect again")
        if self._gone or not expunges:
            self._gone.update(uids_of(changes.vanished))
            now = array("I", sorted(self._gone) if expunges else ())
            changes = msgspec.structs.replace(changes, vanished=now.tobytes())
        last = view.messages.last_uid()
        await self.send(view.apply(changes, with_flags=wanted is None or "FlagChange" in wanted.events))
        if expunges:
            self._gone.clear()
        if not self._gone:
            view.names, view.messages = self.context.folders.share(view.folder, view.state())
        elif self.notifier is None:
            self.changed.set()
        if wanted is not None and wanted.items is not None:
            await self._send_new(wanted.items, changes, last)
        return True

    def take_hint(self) -> None:
        """Clear `changed` before mailstore is asked."""
        self.changed.clear()
        if self.notifier is not None:
            self.notifier.due = self.notifier.watches_others

    async def _send_new(self, items: FetchItems, changes: Changes, last: int) -> None:
        """Send `items` of the messages that arrived after the UID `last` (RFC 5465 5.2)."""
        view = self.view
        new = array("I", [uid for uid in uids_of(changes.uids) if uid > last])
        if not new:
            return
        if len(new) > MOST_SENT:
            return self.overflow()
        spans = view.spans_of(new)
        writer = RowWriter(items, view, MessageModseqs(changes.uids, changes.modseqs, view.modseq))
        if items.asks_mailstore:
            ranges = view.uid_ranges(spans)
            question = FetchQuestion(
                self.mailbox_id, view.folder_id, ranges, items.columns, items.sections, pieces=True
            )
            await send_rows(self.stream, writer, self.context.mailstore.fetch_pieces(question))
        else:
            await self.send(writer.from_view(spans))

    def overflow(self) -> None:
        """Give the notifications up and say so (RFC 5465 5.8)."""
        self.notifier = Notifier([])
        self.stream.write(
            b"* OK [NOTIFICATIONOVERFLOW] too much is new; select the mailbox again or use NOTIFY again\r\n"
        )

    async def send(self, blocks: Iterator[bytes]) -> None:
        """Write a long answer no faster than the client reads it; other sessions run between two of its `blocks`."""
        for block in blocks:
            if block:
                self.stream.write(block)
                await self.stream.drain()
            await asyncio.sleep(0)

    # -- MODSEQs

    def enable(self, name: str) -> bool:
        """Enable an extension; return whether there is one of that name that was not enabled before (RFC 5161).

        Raises BadCommand for one of WITH_UTF8 in the selected state, whose names the client has read in modified UTF-7 (RFC 9755 3).
        """
        if name in WITH_UTF8:
            if self.selected is not None:
                raise BadCommand(f"{name} is enabled before a mailbox is selected")
            is_new = name not in self.enabled
            self.enabled.add(name)
            return is_new
        known = (name == "CONDSTORE" and not self.condstore) or (name == "QRESYNC" and not self.qresync)
        if known:
            self.condstore, self.qresync = True, self.qresync or name == "QRESYNC"
            self._show_modseqs()
            self.changed.set()  # what this session changed before is not in the view's MODSEQ
        return known

    def use_condstore(self) -> None:
        """Send MODSEQs from now on, as the client has used a command of CONDSTORE (RFC 7162 3.1)."""
        if self.enable("CONDSTORE"):
            self.send_highest_modseq()

    def send_highest_modseq(self) -> None:
        """Send the MODSEQ of the selected folder, if there is one."""
        if self.selected is not None:
            self.stream.write(b"* OK [HIGHESTMODSEQ %d] highest\r\n" % self.selected.modseq)

    def _show_modseqs(self) -> None:
        if self.selected is not None:
            self.selected.condstore, self.selected.qresync = self.condstore, self.qresync

    async def highest_modseq_code(self) -> str:
        """Send all changes; return the response code for a tagged OK, with a space, if the client uses MODSEQs.

        Without the changes the MODSEQ would let the client miss some, so it is left out if they cannot be had.
        """
        if not self.condstore:
            return ""
        self.changed.set()
        self.ending = self.ending or await self.send_late_changes()
        return "" if self.changed.is_set() else f"[HIGHESTMODSEQ {self.view.modseq}] "
