"""Messages of a maildrop: RETR and TOP in pieces, and small messages read ahead (RFC 1939 5, 7)."""

from array import array
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bodystore import BodyStore
from mailkit.errors import BadRequest, NotFound
from mailkit.postgres.pool import translated
from mailstore.reading.decoded import SPAN
from mailstore.reading.first_fetch import FirstFetches
from mailstore.reading.octets import Octets
from mailstore.reading.sections import Large
from mailstore.reading.top import Top
from mailstore.storage.fetch import FetchRows
from mailstore_api.wire import MessagesAhead, ReadAhead, ReadMaildrop

#: Limit of the octets read ahead of a maildrop.
AHEAD = 256 * 1024


class Retriever:
    """Reader of whole messages."""

    def __init__(self, rows: FetchRows, bodies: BodyStore, octets: Octets, fetches: FirstFetches) -> None:
        self._rows = rows
        self._bodies = bodies
        self._octets = octets
        self._fetches = fetches

    async def ahead(self, question: ReadAhead) -> MessagesAhead:
        """Return whole messages of at most AHEAD octets together, None for the others. Raises BadRequest and Unavailable."""
        uids = list(array("I", question.uids)) if len(question.uids) % 4 == 0 else []
        if not 0 < len(uids) <= 100:
            raise BadRequest("read ahead of 1 to 100 messages")
        async with translated(), self._octets.of(question.mailbox_id, AHEAD):
            rows = await self._rows.messages(question.mailbox_id, question.folder_id, uids)
            taken, total = {}, 0
            for row in sorted(rows, key=lambda row: row.uid):
                total += row.size
                if total <= AHEAD:
                    taken[row.uid] = row
            bodies = await self._bodies.read_many([row.body_id for row in taken.values()])
        self._fetches.note(question.mailbox_id, [row.body_id for row in taken.values()], "pop3")
        whole = {uid: row.prefix + bodies[row.body_id] for uid, row in taken.items() if row.body_id in bodies}
        return MessagesAhead([whole.get(uid) for uid in uids])

    async def message(self, question: ReadMaildrop) -> AsyncGenerator[bytes, None]:
        """Yield the octets of a message for RETR and TOP (RFC 1939 5, 7) in pieces.

        Raises NotFound if it is gone, also in the middle, and Unavailable.
        """
        async with translated():
            row = await self._rows.message(question.mailbox_id, question.folder_id, question.uid)
            if row is None:
                raise NotFound("the message is gone")
            self._fetches.note(question.mailbox_id, [row.body_id], "pop3")
            whole = Large(self._bodies, row.body_id, row.prefix, 0, row.size - len(row.prefix))
            async with self._octets.of(question.mailbox_id, SPAN), aclosing(whole.pieces()) as pieces:
                top = None if question.lines < 0 else Top(question.lines)
                async for piece in pieces:
                    yield piece if top is None else top.cut(piece)
                    if top is not None and top.complete:
                        return
