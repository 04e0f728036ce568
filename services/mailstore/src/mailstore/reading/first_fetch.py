"""The first fetch of each message, noted in lists beside the reading (docs/decisions/0081)."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from mailkit.errors import PostriderError
from mailkit.process.clock import Clock
from mailkit.process.report import report
from mailstore.storage.trace import Fetch, MailboxTraces

#: Messages whose fetch this process has noted lately and does not note again; fetches that wait to be stored.
MOST_KNOWN = 20_000
MOST_WAITING = 10_000
#: Fetches stored by one statement.
BATCH = 1000
#: Seconds between two lists.
STORE_SECONDS = 1.0


class FirstFetches:
    """Fetches of messages that came within `keep`; beyond MOST_WAITING they are not noted."""

    def __init__(self, traces: MailboxTraces, clock: Clock, keep: timedelta) -> None:
        self._traces = traces
        self._clock = clock
        self._keep = keep.total_seconds() * 1000
        self._known: OrderedDict[tuple[UUID, UUID], None] = OrderedDict()
        self._waiting: list[Fetch] = []

    def note(self, mailbox_id: UUID, body_ids: Iterable[UUID], protocol: str) -> None:
        """Note that the messages with these bodies are being fetched."""
        now = self._clock.now()
        oldest = now.timestamp() * 1000 - self._keep
        for body_id in body_ids:
            # a body's id has the time of its message's acceptance
            if body_id.int >> 80 < oldest or (body_id, mailbox_id) in self._known:
                continue
            if len(self._waiting) >= MOST_WAITING:
                return
            self._known[body_id, mailbox_id] = None
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
            self._waiting.append((body_id, mailbox_id, now, protocol))

    async def store(self) -> None:
        """Store what waits; keep it if the database does not answer."""
        while self._waiting:
            part = self._waiting[:BATCH]
            try:
                await self._traces.note_fetched(part)
            except PostriderError as error:
                report(error, "first fetches")
                return
            del self._waiting[: len(part)]
