"""The rows of folders and subscriptions in a transaction that changes a mailbox."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.postgres.rows import Row, column

queries = Queries("mailstore.storage", "folders.sql")


class Folder(Row):
    """A folder."""

    folder_id: int = column("folder_id")
    uidvalidity: int = column("uidvalidity")
    uidnext: int = column("uidnext")
    highest_modseq: int = column("highest_modseq")
    keywords: list[str] = column("keywords")
    name: str = column("name")
    special_use: str = column("special_use")


class NewUids(Row):
    """UIDs of new messages, from `first_uid` on, and their MODSEQ."""

    first_uid: int = column("first_uid")
    modseq: int = column("modseq")
    uidvalidity: int = column("uidvalidity")


class FolderRows:
    """The folders of one mailbox."""

    def __init__(self, connection: Connection, mailbox_id: UUID) -> None:
        self._connection = connection
        self._mailbox_id = mailbox_id

    async def lock(self, folder_id: int) -> Folder | None:
        return await self._connection.fetchrow(queries.lock_folder, self._mailbox_id, folder_id, record_class=Folder)

    async def lock_named(self, name: str) -> Folder | None:
        return await self._connection.fetchrow(queries.lock_folder_named, self._mailbox_id, name, record_class=Folder)

    async def named(self, name: str) -> Folder | None:
        return await self._connection.fetchrow(queries.folder_named, self._mailbox_id, name, record_class=Folder)

    async def ids(self) -> dict[str, int]:
        """Return the ids of all folders by name."""
        rows = await self._connection.fetch(queries.folder_names, self._mailbox_id)
        return {row["name"]: row["folder_id"] for row in rows}

    async def special_uses(self) -> set[str]:
        """Return the special uses that folders have."""
        return {row["special_use"] for row in await self._connection.fetch(queries.special_uses, self._mailbox_id)}

    async def create(self, name: str, now: int, special_use: str = "") -> None:
        """Create a folder. Its UIDVALIDITY is `now`, in seconds since the epoch, or the mailbox's last one plus one."""
        await self._connection.fetchval(queries.make_folder, self._mailbox_id, name, now, special_use)

    async def rename(self, folder_id: int, name: str) -> None:
        await self._connection.execute(queries.rename_folder, self._mailbox_id, folder_id, name)

    async def drop(self, folder_id: int) -> None:
        """Delete a folder without messages, and its tombstones."""
        await self._connection.execute(queries.drop_folder, self._mailbox_id, folder_id)
        await self._connection.execute(queries.drop_folder_signatures, self._mailbox_id, folder_id)
        await self._connection.execute(queries.drop_folder_tombstones, self._mailbox_id, folder_id)

    async def keep_keywords(self, folder: Folder, keywords: Sequence[str]) -> None:
        """Store the keywords if there are more than the folder has."""
        if len(keywords) > len(folder.keywords):
            await self._connection.execute(queries.set_keywords, self._mailbox_id, folder.folder_id, keywords)

    async def allocate(self, folder_id: int, messages: int, unseen: int, octets: int) -> NewUids:
        """Allocate UIDs and a MODSEQ for new messages, and count them."""
        given = await self._connection.fetchrow(
            queries.take_uids, self._mailbox_id, folder_id, messages, unseen, octets, record_class=NewUids
        )
        assert given is not None
        return given

    async def new_modseq(self, folder_id: int) -> int:
        modseq: int = await self._connection.fetchval(queries.new_modseq, self._mailbox_id, folder_id)
        return modseq

    async def subscriptions(self) -> int:
        """Return the number of subscribed names."""
        count: int = await self._connection.fetchval(queries.count_subscriptions, self._mailbox_id)
        return count

    async def subscribe(self, name: str) -> None:
        await self._connection.execute(queries.subscribe, self._mailbox_id, name)

    async def unsubscribe(self, name: str) -> None:
        await self._connection.execute(queries.unsubscribe, self._mailbox_id, name)


async def names(pool: asyncpg.Pool, mailbox_id: UUID) -> list[str]:
    """Return the names of all folders in order."""
    async with translated():
        return [row["name"] for row in await pool.fetch(queries.folder_names, mailbox_id)]
