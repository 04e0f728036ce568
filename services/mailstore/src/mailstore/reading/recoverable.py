"""List of the messages that can be undeleted, with what shows a person which they are (docs/decisions/0120)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from bodystore import CHUNK, BodyStore
from mailkit.process.clock import Clock
from mailstore.mime import render
from mailstore.reading.octets import Octets
from mailstore.storage.recoverable import Recoverable, Recoverables

#: Bodies whose first chunks are in memory together.
GROUP = 10
#: Characters of a subject and of a sender that are shown.
SHOWN = 200


class Shown(NamedTuple):
    """A message that can be undeleted until `until`. Its subject and sender are empty if its body is not there."""

    number: int
    at: datetime
    until: datetime
    folder: str
    size: int
    internaldate: datetime
    subject: str
    sender: str


class RecoverableList:
    """Reader of the recoverable messages of a mailbox."""

    def __init__(self, rows: Recoverables, bodies: BodyStore, octets: Octets, clock: Clock, days: int) -> None:
        self._rows = rows
        self._bodies = bodies
        self._octets = octets
        self._clock = clock
        self._keep = timedelta(days=days)

    async def page(
        self, mailbox_id: UUID, folder: str, newer: int | None, before: int, most: int
    ) -> tuple[list[Shown], int | None]:
        """Return those of the last `most` messages before a number that match, the last deleted first, and where to go on."""
        seen = await self._rows.before(mailbox_id, before, most)
        since = None if newer is None else self._clock.now() - timedelta(seconds=newer)
        rows = [row for row in seen if folder in ("", row.folder) and (since is None or row.at >= since)]
        ended = len(seen) < most or (since is not None and seen[-1].at < since)
        found: list[Shown] = []
        for start in range(0, len(rows), GROUP):
            found += await self._shown(mailbox_id, rows[start : start + GROUP])
        return found, None if ended else seen[-1].number

    async def _shown(self, mailbox_id: UUID, rows: Sequence[Recoverable]) -> list[Shown]:
        async with self._octets.of(mailbox_id, sum(min(row.size, CHUNK) for row in rows)):
            heads = await self._bodies.read_heads([row.body_id for row in rows])
            views = {body_id: render(head).compared for body_id, head in heads.items()}
        return [
            Shown(
                row.number,
                row.at,
                row.at + self._keep,
                row.folder,
                row.size,
                row.internaldate,
                views[row.body_id].subject[:SHOWN] if row.body_id in views else "",
                views[row.body_id].from_[:SHOWN] if row.body_id in views else "",
            )
            for row in rows
        ]
