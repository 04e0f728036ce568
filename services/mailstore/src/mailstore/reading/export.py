"""Whole mailboxes for operators: folders, and messages in batches of bounded size (docs/decisions/0106)."""

from bodystore import BodyStore
from mailkit.postgres.pool import translated
from mailstore.reading.octets import GROUP_BYTES, Octets
from mailstore.storage.exports import ExportRows, StoredExport
from mailstore.storage.views import FolderViews
from mailstore_api.wire import (
    ExportedFolder,
    ExportedFolders,
    ExportedMessage,
    ExportedMessages,
    ExportMessages,
    ExportQuestion,
)

#: Limit of the messages of a batch.
MOST = 100


class Exporter:
    """Reader of mailboxes. What it reads does not count as fetched by the owner."""

    def __init__(self, views: FolderViews, rows: ExportRows, bodies: BodyStore, octets: Octets) -> None:
        self._views = views
        self._rows = rows
        self._bodies = bodies
        self._octets = octets

    async def folders(self, question: ExportQuestion) -> ExportedFolders:
        """Return the folders by name."""
        rows = await self._views.all(question.mailbox_id, recent=False)
        return ExportedFolders(
            [
                ExportedFolder(
                    row.name,
                    row.folder_id,
                    row.uidvalidity,
                    row.uidnext,
                    row.subscribed,
                    row.messages,
                    list(row.keywords),
                )
                for row in rows
            ]
        )

    async def messages(self, question: ExportMessages) -> ExportedMessages:
        """Return the next messages, up to MOST and GROUP_BYTES, one at least. Raises Unavailable."""
        mailbox_id = question.mailbox_id
        rows = await self._rows.after(mailbox_id, question.folder_id, question.after, MOST)
        if not rows and not await self._rows.has(mailbox_id, question.folder_id):
            return ExportedMessages("gone")
        group = _first(rows)
        small = [row for row in group if row.size <= self._octets.limit]
        async with translated(), self._octets.of(mailbox_id, sum(row.size for row in small)):
            bodies = await self._bodies.read_many([row.body_id for row in small])
            items = [
                ExportedMessage(
                    row.uid,
                    row.flags,
                    row.at,
                    row.uidl or "",
                    row.prefix + bodies[row.body_id] if row.body_id in bodies else None,
                )
                for row in group
            ]
        return ExportedMessages("ok", items, len(rows) == MOST or len(group) < len(rows))


def _first(rows: list[StoredExport]) -> list[StoredExport]:
    """The first rows that have at most GROUP_BYTES together, one at least."""
    total = 0
    for count, row in enumerate(rows):
        total += row.size
        if count and total > GROUP_BYTES:
            return rows[:count]
    return rows
