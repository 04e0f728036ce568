"""Folders as sessions read them: list, open, and changes (RFC 3501 6.3). Reading takes no locks."""

import builtins
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from mailkit.process.clock import Clock
from mailstore.model.folder_names import parents
from mailstore.model.uids import high_words, numbers, pack, pack_modseqs, split
from mailstore.reading.octets import Octets
from mailstore.storage.mailboxes import Mailboxes
from mailstore.storage.views import Changed, FolderViews, Snapshot
from mailstore_api.wire import (
    Changes,
    ChangesQuestion,
    Days,
    DaysQuestion,
    FolderInfo,
    FolderList,
    FolderSnapshot,
    FollowedFolder,
    MailboxQuestion,
    ModseqQuestion,
    Modseqs,
    OpenFolder,
)

#: Octets in memory for each message of a folder that is read whole: as PostgreSQL sends it, apart, and packed.
_OCTETS_EACH = 48
#: Changes that are read without being counted in memory.
FEW_CHANGES = 1000
#: Messages of which one answer says the day.
MOST_DAYS = 50_000


class Folders:
    """The folders of mailboxes; a mailbox is created with the default folders when it is first asked for."""

    def __init__(self, mailboxes: Mailboxes, views: FolderViews, octets: Octets, clock: Clock) -> None:
        self._mailboxes = mailboxes
        self._views = views
        self._octets = octets
        self._clock = clock

    async def list(self, question: MailboxQuestion) -> FolderList:
        """Return all folders with their STATUS numbers, and subscribed names that do not exist."""
        mailbox_id = question.mailbox_id
        rows = await self._views.all(mailbox_id, recent=question.recent)
        if not rows:
            await self._mailboxes.create(mailbox_id, self._clock.now())
            rows = await self._views.all(mailbox_id, recent=question.recent)
        gone = await self._views.lost_subscriptions(mailbox_id)
        deleted = await self._views.deleted(mailbox_id) if question.deleted else {}
        folders = [
            FolderInfo(
                row.name,
                row.folder_id,
                row.special_use,
                row.subscribed,
                True,
                row.uidvalidity,
                row.uidnext,
                row.highest_modseq,
                row.messages,
                row.unseen,
                row.recent,
                row.octets,
                True,
                *deleted.get(row.folder_id, (0, 0)),
            )
            for row in rows
        ]
        names = {folder.name for folder in folders}
        levels = {parent for name in names for parent in parents(name)} - names
        folders += [FolderInfo(name, 0, "", name in gone, False, 0, 1, 0, 0, 0, 0, 0) for name in levels]
        folders += [FolderInfo(name, 0, "", True, False, 0, 1, 0, 0, 0, 0, 0, exists=False) for name in gone - levels]
        return FolderList(sorted(folders, key=lambda folder: folder.name))

    async def open(self, question: OpenFolder) -> FolderSnapshot:
        """Return a snapshot of the folder, or the changes of the one known; a read-write session claims the \\Recent messages.

        Raises the errors of `Octets.of`.
        """
        mailbox_id, name = question.mailbox_id, question.name
        if question.known_modseq:
            async with self._changes(mailbox_id, question.known_folder_id, question.known_modseq) as known:
                if known is not None and _is_known(question, known):
                    vanished = high_words(known.vanished)
                    return await self._opened(question, known, since=question.known_modseq, vanished=vanished)
        messages = await self._views.messages(mailbox_id, name)
        if messages is None:
            await self._mailboxes.create(mailbox_id, self._clock.now())
            messages = await self._views.messages(mailbox_id, name)
        async with self._octets.of(mailbox_id, min(_OCTETS_EACH * (messages or 0), self._octets.limit)):
            folder = await self._views.snapshot(mailbox_id, name)
            return FolderSnapshot("nonexistent") if folder is None else await self._opened(question, folder)

    async def _opened(
        self, question: OpenFolder, folder: Snapshot, *, since: int = 0, vanished: bytes = b""
    ) -> FolderSnapshot:
        recent_from = folder.recent_from
        if not question.read_only:
            recent_from = await self._recent(question.mailbox_id, folder) or folder.uidnext
        return FolderSnapshot(
            "ok",
            folder.folder_id,
            folder.uidvalidity,
            folder.uidnext,
            folder.highest_modseq,
            recent_from,
            *folder.packed(),
            folder.keywords,
            since=since,
            vanished=vanished,
            messages=folder.messages,
            unseen=folder.unseen,
        )

    @asynccontextmanager
    async def _changes(self, mailbox_id: UUID, folder_id: int, since: int) -> AsyncIterator[Changed | None]:
        """The changes after a MODSEQ as one consistent snapshot; more than a few are counted in memory before they are read."""
        folder = await self._views.changes(mailbox_id, folder_id, since, FEW_CHANGES)
        if folder is None or not folder.cut:
            yield folder
            return
        number = await self._views.count_changes(mailbox_id, folder_id, since)
        async with self._octets.of(mailbox_id, min(_OCTETS_EACH * number, self._octets.limit)):
            yield await self._views.changes(mailbox_id, folder_id, since, None)

    async def changes(self, question: ChangesQuestion) -> Changes:
        """Return the changes after MODSEQ `since`, as one consistent snapshot. Raises the errors of `Octets.of`."""
        async with self._changes(question.mailbox_id, question.folder_id, question.since) as folder:
            return await self._change_answer(question, folder)

    async def _change_answer(self, question: ChangesQuestion, folder: Changed | None) -> Changes:
        if folder is None:
            return Changes("gone")
        if question.since < folder.forgotten_modseq:
            return Changes("expired")
        if question.since >= folder.highest_modseq:
            return Changes("ok", folder.highest_modseq, folder.uidnext, keywords=folder.keywords)
        recent_from = folder.recent_from
        if question.take_recent:
            recent_from = await self._recent(question.mailbox_id, folder)
        return Changes(
            "ok",
            folder.highest_modseq,
            folder.uidnext,
            recent_from,
            *folder.packed(),
            high_words(folder.vanished),
            folder.keywords,
            numbers(folder.modseqs),
        )

    async def changed(self, items: Sequence[FollowedFolder]) -> builtins.list[bool]:
        """Return for each folder whether its MODSEQ is another one, or it is gone."""
        found = await self._views.highest_modseqs([(item.mailbox_id, item.folder_id) for item in items])
        return [modseq != item.modseq for modseq, item in zip(found, items, strict=True)]

    async def modseqs(self, question: ModseqQuestion) -> Modseqs:
        """Return the messages with a MODSEQ greater than `since`, and the expunges since then. Raises BadRequest."""
        bounds = None if question.ranges is None else split(question.ranges)
        folder = await self._views.modseqs(
            question.mailbox_id, question.folder_id, question.since, bounds, vanished=question.vanished
        )
        if folder is None:
            return Modseqs("gone")
        return Modseqs(
            "ok",
            folder.highest_modseq,
            pack(folder.uids or ()),
            pack_modseqs(folder.modseqs or ()),
            pack(folder.vanished or ()),
            question.since >= folder.forgotten_modseq,
        )

    async def days(self, question: DaysQuestion) -> Days:
        """Return the days of INTERNALDATE of messages, MOST_DAYS at most. Raises the errors of `Octets.of`."""
        mailbox_id = question.mailbox_id
        async with self._octets.of(mailbox_id, min(_OCTETS_EACH * MOST_DAYS, self._octets.limit)):
            found = await self._views.days(mailbox_id, question.folder_id, question.after, MOST_DAYS)
            return Days("gone") if found is None else Days("ok", *found.packed(), found.messages == MOST_DAYS)

    async def _recent(self, mailbox_id: UUID, folder: Snapshot) -> int:
        """The first UID that is \\Recent for this session alone; 0 if there is none or another session claimed them.

        \\Recent is for the first session notified of a message (RFC 3501 2.3.2).
        """
        first, end = folder.recent_from, folder.uidnext
        if first >= end:
            return 0
        return first if await self._views.take_recent(mailbox_id, folder.folder_id, first, end) else 0


def _is_known(question: OpenFolder, folder: Changed) -> bool:
    """Whether the folder has the name that is opened, and its changes since the asker knew it can be said."""
    return folder.name == question.name and folder.forgotten_modseq <= question.known_modseq <= folder.highest_modseq
