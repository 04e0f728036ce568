"""Prefetch for clients that retrieve messages in order: one call to mailstore serves up to 16 RETRs."""

from uuid import UUID

from mailkit.errors import PostriderError
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import ReadAhead
from pop_imap_frontend.pop3.snapshot import MaildropView

#: Limits of one session; the memory used is this times the number of sessions that retrieve messages.
MOST_MESSAGES = 16
MOST_BYTES = 64 * 1024


class Prefetch:
    """The next messages of one session, while it retrieves them in ascending order."""

    def __init__(self, mailstore: MailstoreClient, mailbox_id: UUID, drop: MaildropView) -> None:
        self._mailstore = mailstore
        self._mailbox_id = mailbox_id
        self._drop = drop
        self._held: dict[int, bytes] = {}
        self._last = -2  # never adjacent to the first RETR: many clients retrieve only one new message

    async def read(self, at: int) -> bytes | None:
        """Return the message at position `at`; None if it has to be read on its own."""
        follows, self._last = at == self._last + 1, at
        raw = self._held.pop(at, None)
        if raw is not None:
            return raw
        self._held.clear()
        return await self._fetch(self._next(at)) if follows else None

    def _next(self, at: int) -> list[int]:
        """Positions from `at` on that are not marked deleted and are within the limits together."""
        drop, total, chosen = self._drop, 0, []
        for position in range(at, min(at + MOST_MESSAGES, len(drop.uids))):
            total += drop.sizes[position]
            if total > MOST_BYTES:
                break
            if position not in drop.deleted:
                chosen.append(position)
        return chosen

    async def _fetch(self, positions: list[int]) -> bytes | None:
        if len(positions) < 2:
            return None
        question = ReadAhead(self._mailbox_id, self._drop.folder_id, self._drop.pack(positions))
        try:
            found = await self._mailstore.read_ahead(question)
        except PostriderError:
            return None  # reading the message on its own reports the error
        held = {position: raw for position, raw in zip(positions, found, strict=True) if raw is not None}
        self._held = held
        return held.pop(positions[0], None)
