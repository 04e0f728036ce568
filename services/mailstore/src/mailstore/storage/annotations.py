"""Annotations of folders, and of the account under folder id 0 (RFC 5464; docs/decisions/0067)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.postgres.rows import Row, column

queries = Queries("mailstore.storage", "annotations.sql")

#: The folder id of the account's own annotations.
ACCOUNT = 0


class StoredAnnotation(Row):
    """An annotation."""

    entry: str = column("entry")
    value: bytes = column("value")


class AnnotationSize(Row):
    """An annotation without its value; `version`: the account's count of changes at which it was set."""

    folder_id: int = column("folder_id")
    entry: str = column("entry")
    version: int = column("version")
    octets: int = column("octets")


class AnnotationRows:
    """The annotations of one mailbox, in a transaction that locks its row."""

    def __init__(self, connection: Connection, mailbox_id: UUID) -> None:
        self._connection = connection
        self._mailbox_id = mailbox_id

    async def sizes(self) -> list[AnnotationSize]:
        """Return all annotations of the mailbox, whose number is limited."""
        return await self._connection.fetch(queries.annotation_sizes, self._mailbox_id, record_class=AnnotationSize)

    async def change(self, folder_id: int, values: Mapping[str, bytes], removed: Sequence[str]) -> None:
        """Set `values` by entry and remove the entries `removed`."""
        version = await self._version()
        given = list(values), list(values.values())
        await self._connection.execute(queries.put_annotations, self._mailbox_id, folder_id, *given, version)
        await self._connection.execute(queries.remove_annotations, self._mailbox_id, folder_id, removed)

    async def copy(self, folder_id: int, target_id: int) -> None:
        """Give a new folder the annotations of another."""
        await self._connection.execute(
            queries.copy_annotations, self._mailbox_id, folder_id, target_id, await self._version()
        )

    async def drop(self, folder_id: int) -> None:
        """Remove all annotations of a folder."""
        await self._connection.execute(queries.drop_annotations, self._mailbox_id, folder_id)

    async def _version(self) -> int:
        version: int = await self._connection.fetchval(queries.new_metadata_version, self._mailbox_id)
        return version


class Annotations:
    """The annotations of all mailboxes, read without locks."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def folder_id(self, mailbox_id: UUID, name: str) -> int | None:
        """Return the id of a folder; None if there is none of that name."""
        async with translated():
            found: int | None = await self._pool.fetchval(queries.named_folder, mailbox_id, name)
        return found

    async def of(self, mailbox_id: UUID, folder_id: int) -> list[StoredAnnotation]:
        """Return the annotations of a folder by entry."""
        async with translated():
            return await self._pool.fetch(queries.annotations_in, mailbox_id, folder_id, record_class=StoredAnnotation)

    async def version(self, mailbox_id: UUID) -> int:
        """Return the count of changes of a mailbox's annotations."""
        async with translated():
            return await self._pool.fetchval(queries.metadata_version, mailbox_id) or 0

    async def sizes(self, mailbox_id: UUID) -> list[AnnotationSize]:
        """Return all annotations of a mailbox, without their values."""
        async with translated():
            return await self._pool.fetch(queries.annotation_sizes, mailbox_id, record_class=AnnotationSize)
