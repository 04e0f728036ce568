"""Folders as sessions see them: one statement each, no locks."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated
from mailkit.postgres.rows import Row, column
from mailstore.model.uids import Bounds, high_words, low_halves, low_words

queries = Queries("mailstore.storage", "views.sql")


class ListedFolder(Row):
    """A folder with its STATUS numbers."""

    name: str = column("name")
    folder_id: int = column("folder_id")
    special_use: str = column("special_use")
    subscribed: bool = column("subscribed")
    uidvalidity: int = column("uidvalidity")
    uidnext: int = column("uidnext")
    highest_modseq: int = column("highest_modseq")
    messages: int = column("messages")
    unseen: int = column("unseen")
    recent: int = column("recent")
    octets: int = column("octets")
    keywords: list[str] = column("keywords")


class Snapshot(Row):
    """A folder's row with messages of the same moment."""

    folder_id: int = column("folder_id")
    name: str = column("name")
    uidvalidity: int = column("uidvalidity")
    uidnext: int = column("uidnext")
    highest_modseq: int = column("highest_modseq")
    forgotten_modseq: int = column("forgotten_modseq")
    recent_from: int = column("recent_from")
    messages: int = column("messages")
    unseen: int = column("unseen")
    keywords: list[str] = column("keywords")
    low: bytes | None = column("low")
    high: bytes | None = column("high")

    def packed(self) -> tuple[bytes, bytes]:
        """Return the UIDs and the masks of the messages, packed."""
        return high_words(self.low), low_words(self.low, self.high)


class Changed(Snapshot):
    """A folder's row with the messages that changed, and their MODSEQs; `vanished`: UIDs. `cut`: these are not all."""

    modseqs: bytes | None = column("modseqs")
    vanished: bytes | None = column("vanished")
    cut: bool = column("cut")


class FolderModseqs(Row):
    """A folder's row with MODSEQs of its messages of the same moment; the arrays are None if they are empty."""

    highest_modseq: int = column("highest_modseq")
    forgotten_modseq: int = column("forgotten_modseq")
    uids: Sequence[int] | None = column("uids")
    modseqs: Sequence[int] | None = column("modseqs")
    vanished: Sequence[int] | None = column("vanished")


class MessageDays(Row):
    """Messages of a folder with the days of their INTERNALDATE."""

    messages: int = column("messages")
    low: bytes | None = column("low")

    def packed(self) -> tuple[bytes, bytes]:
        """Return the UIDs and the days of the messages, packed."""
        return high_words(self.low), low_halves(self.low)


class FolderViews:
    """The folders of all mailboxes."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def all(self, mailbox_id: UUID, *, recent: bool) -> list[ListedFolder]:
        """Return the folders by name; with `recent`, also the numbers of \\Recent messages."""
        async with translated():
            return await self._pool.fetch(queries.list_folders, mailbox_id, recent, record_class=ListedFolder)

    async def lost_subscriptions(self, mailbox_id: UUID) -> set[str]:
        """Return subscribed names that do not exist."""
        async with translated():
            return {row["name"] for row in await self._pool.fetch(queries.lost_subscriptions, mailbox_id)}

    async def deleted(self, mailbox_id: UUID) -> dict[int, tuple[int, int]]:
        """Return by folder id the number of messages with \\Deleted and their octets, of folders that have any."""
        async with translated():
            rows = await self._pool.fetch(queries.deleted_totals, mailbox_id)
        return {row["folder_id"]: (row["messages"], row["octets"]) for row in rows}

    async def messages(self, mailbox_id: UUID, name: str) -> int | None:
        """Return the number of messages of a folder; None if it does not exist."""
        async with translated():
            count: int | None = await self._pool.fetchval(queries.count_messages, mailbox_id, name)
        return count

    async def snapshot(self, mailbox_id: UUID, name: str) -> Snapshot | None:
        async with translated():
            return await self._pool.fetchrow(queries.snapshot, mailbox_id, name, record_class=Snapshot)

    async def changes(self, mailbox_id: UUID, folder_id: int, since: int, most: int | None) -> Changed | None:
        """Return the messages that changed after the MODSEQ `since`, and those expunged, up to `most` of each; None: all."""
        async with translated():
            return await self._pool.fetchrow(queries.changes, mailbox_id, folder_id, since, most, record_class=Changed)

    async def count_changes(self, mailbox_id: UUID, folder_id: int, since: int) -> int:
        """Return how many messages changed or were expunged after the MODSEQ `since`."""
        async with translated():
            count: int = await self._pool.fetchval(queries.count_changes, mailbox_id, folder_id, since)
        return count

    async def highest_modseqs(self, folders: Sequence[tuple[UUID, int]]) -> list[int | None]:
        """Return HIGHESTMODSEQ of each folder; None for one that is gone."""
        found: list[int | None] = [None] * len(folders)
        mailbox_ids, folder_ids = [mailbox_id for mailbox_id, _ in folders], [folder_id for _, folder_id in folders]
        async with translated():
            for row in await self._pool.fetch(queries.highest_modseqs, mailbox_ids, folder_ids):
                found[row["n"] - 1] = row["highest_modseq"]
        return found

    async def modseqs(
        self, mailbox_id: UUID, folder_id: int, since: int, bounds: Bounds | None, *, vanished: bool
    ) -> FolderModseqs | None:
        """Return the MODSEQs greater than `since`, of all messages or of those within bounds, and with `vanished` the expunges."""
        statement, more = (queries.modseqs, ()) if bounds is None else (queries.modseqs_of, bounds)
        async with translated():
            return await self._pool.fetchrow(
                statement, mailbox_id, folder_id, since, vanished, *more, record_class=FolderModseqs
            )

    async def days(self, mailbox_id: UUID, folder_id: int, after: int, most: int) -> MessageDays | None:
        """Return the first `most` messages with UIDs above `after`; None if there is no such folder."""
        async with translated():
            return await self._pool.fetchrow(queries.days, mailbox_id, folder_id, after, most, record_class=MessageDays)

    async def take_recent(self, mailbox_id: UUID, folder_id: int, first: int, end: int) -> bool:
        """Claim the messages from `first` to before `end` as \\Recent ones; False if another session did."""
        claim = mailbox_id, folder_id, first, end
        async with translated(), self._pool.acquire() as connection:
            if await connection.fetchval(queries.take_recent, *claim) is not None:
                return True
            async with connection.transaction():
                if await connection.fetchval(queries.lock_recent, mailbox_id, folder_id) != first:
                    return False
                await connection.fetchval(queries.take_recent_before, *claim)
                return True
