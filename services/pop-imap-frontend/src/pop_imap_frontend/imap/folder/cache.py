"""The folders that this process knows, for SELECT: those opened last, in a bounded number of octets (docs/decisions/0054)."""

import asyncio
from collections import OrderedDict
from uuid import UUID
from weakref import WeakValueDictionary

from mailkit.errors import InternalError, NotFound
from mailkit.process.report import report
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import FolderSnapshot, OpenFolder
from pop_imap_frontend.imap import metrics
from pop_imap_frontend.imap.folder.days import FolderDays
from pop_imap_frontend.imap.folder.messages import FolderMessages, changed_messages, masks_of, uids_of
from pop_imap_frontend.imap.folder.order import FolderOrder
from pop_imap_frontend.imap.folder.shared import FolderState, SharedFolder
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.responses import FlagNames

#: Limit of the octets of the folders kept for later sessions.
MOST_OCTETS = 64 * 1024 * 1024
#: Octets of a folder besides its messages.
_OCTETS_EACH = 2048


class SharedFolders:
    """Folders by mailbox and the name under which they were opened.

    Mailstore is asked at each SELECT, and decides whether what is known here still holds.
    """

    def __init__(self, mailstore: MailstoreClient, most_octets: int = MOST_OCTETS) -> None:
        self._mailstore = mailstore
        self._most_octets = most_octets
        self._folders: OrderedDict[tuple[UUID, str], SharedFolder] = OrderedDict()
        self._octets = 0
        self._opening: WeakValueDictionary[tuple[UUID, str], asyncio.Lock] = WeakValueDictionary()

    async def open(self, mailbox_id: UUID, name: str, *, read_only: bool) -> FolderView | None:
        """Return a new session's view of a folder; None if there is no such folder."""
        key = mailbox_id, name
        if key in self._folders:
            return await self._open(mailbox_id, name, read_only)
        lock = self._opening.setdefault(key, asyncio.Lock())
        async with lock:  # the first session reads the folder; those that waited then ask for changes
            return await self._open(mailbox_id, name, read_only)

    async def _open(self, mailbox_id: UUID, name: str, read_only: bool) -> FolderView | None:
        folder = self._folders.get((mailbox_id, name))
        known = None if folder is None else folder.state
        question = OpenFolder(mailbox_id, name, read_only)
        if folder is not None and known is not None:
            known_id, modseq = folder.folder_id, known.modseq
            question = OpenFolder(mailbox_id, name, read_only, known_folder_id=known_id, known_modseq=modseq)
        snapshot = await self._mailstore.open_folder(question)
        if snapshot.status != "ok" or not snapshot.since:
            self._drop(folder)
            folder = known = None
        if snapshot.status != "ok":
            return None
        state = await _state(known, snapshot)
        if known is not None and not _agrees(state.messages, snapshot):
            report(InternalError("what is known of a folder is not what mailstore has"), "a folder")
            self._drop(folder)
            return await self._open(mailbox_id, name, read_only)
        if folder is None:
            folder = SharedFolder(self._mailstore, mailbox_id, name, snapshot.folder_id, state)
        state = folder.share(state)
        self._keep(folder)
        return FolderView(folder, snapshot, state, read_only)

    def share(self, folder: SharedFolder, state: FolderState) -> tuple[FlagNames, FolderMessages]:
        """Return names and messages for a session that is at `state`: the same objects for all sessions at that MODSEQ."""
        if folder.state.modseq < state.modseq and self._folders.get(folder.key) is folder:
            self._drop(folder)
            newest = folder.share(state)
            self._keep(folder)
        else:
            newest = folder.share(state)
        return newest.names, newest.messages

    async def days(self, folder: SharedFolder, messages: FolderMessages) -> FolderDays | None:
        """Return the days of `messages`; None if the folder is gone, or from a mailstore that does not say them."""
        try:
            days = await folder.days(messages)
        except NotFound:
            return None
        if self._folders.get(folder.key) is folder:
            self._keep(folder)
        return days

    async def order(self, folder: SharedFolder, key: str, messages: FolderMessages) -> FolderOrder | None:
        """Return `messages` in the order of `key`; None if it cannot be known, or the mailstore does not say it."""
        try:
            order = await folder.order(key, messages)
        except NotFound:
            return None
        if self._folders.get(folder.key) is folder:
            self._keep(folder)
        return order

    def _keep(self, folder: SharedFolder) -> None:
        """Note `folder` as the one opened last, with its present size, and drop those that have no room beside it."""
        self._drop(self._folders.get(folder.key))
        self._folders[folder.key] = folder
        folder.octets = _OCTETS_EACH + folder.state_octets()
        self._octets += folder.octets
        while self._octets > self._most_octets:
            self._drop(next(iter(self._folders.values())))
        metrics.FOLDER_BYTES.set(self._octets)

    def _drop(self, folder: SharedFolder | None) -> None:
        """Forget `folder`, if it is here; sessions that have it selected keep it."""
        if folder is not None and self._folders.get(folder.key) is folder:
            del self._folders[folder.key]
            self._octets -= folder.octets


async def _state(known: FolderState | None, snapshot: FolderSnapshot) -> FolderState:
    """The state that `snapshot` says; with `known`, its changes of that one."""
    same = known is not None and known.names.keywords == snapshot.keywords
    names = known.names if known is not None and same else FlagNames(snapshot.keywords)
    messages = FolderMessages() if known is None else known.messages
    uids, masks, vanished = uids_of(snapshot.uids), masks_of(snapshot.flags), uids_of(snapshot.vanished)
    messages = await changed_messages(messages, uids, masks, vanished)
    return FolderState(snapshot.highest_modseq, snapshot.uidnext, names, messages)


def _agrees(messages: FolderMessages, snapshot: FolderSnapshot) -> bool:
    return (len(messages), messages.unseen) == (snapshot.messages, snapshot.unseen)
