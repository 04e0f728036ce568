"""The rows of the text index (docs/decisions/0078)."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated
from mailstore.storage.fetch import StoredMessage

queries = Queries("mailstore.storage", "signatures.sql")

#: A UID and the signature, or None for a message whose text is too long.
Signed = tuple[int, bytes | None]


class SignatureRows:
    """The text index of all folders."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def unsigned(self, mailbox_id: UUID, folder_id: int, first: int, most: int) -> list[StoredMessage]:
        """Return the first messages from the UID `first` on that are not in the index."""
        async with translated():
            return await self._pool.fetch(
                queries.unsigned, mailbox_id, folder_id, first, most, record_class=StoredMessage
            )

    async def sign(self, mailbox_id: UUID, folder_id: int, signed: Sequence[Signed]) -> None:
        """Add messages to the index, except those that have been removed."""
        uids, signatures = [uid for uid, _ in signed], [each for _, each in signed]
        async with translated():
            await self._pool.execute(queries.sign, mailbox_id, folder_id, uids, signatures)
