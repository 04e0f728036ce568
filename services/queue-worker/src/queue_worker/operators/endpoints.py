"""The operators' API: messages under way, the state of one message, and retries at once."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Query

from mailkit.errors import NotFound
from mailkit.process.clock import Clock
from mailkit.rpc.app import OPERATORS
from queue_worker.models import Pair
from queue_worker.operators.records import Attempt, MessageDetail, QueuedMessage, Recipient, Retried
from queue_worker.storage.records import Filter, Records

#: Most recipients that the list names of a message, and most earlier attempts that are shown of a recipient.
NAMED = 20
ATTEMPTS = 100
#: Most messages that one statement of the list looks at, and most recipients that one statement of a retry looks at.
WINDOW = 10_000
SLICE = 5_000


def router(store: Records, clock: Clock, wake: Callable[[Iterable[Pair], datetime], None]) -> APIRouter:
    """Return the routes under /v1/queue."""
    routes = APIRouter(prefix="/v1/queue", tags=["queue"], dependencies=OPERATORS)

    @routes.get("", operation_id="list_queue")
    async def list_queue(
        after: UUID = Query(default=UUID(int=0), description="the last id of the page before"),
        limit: int = Query(default=1000, ge=1, le=1000),
        sender: str | None = None,
        recipient: str | None = None,
        domain: str | None = Query(default=None, description="of a recipient"),
        state: Literal["waiting", "claimed"] | None = None,
    ) -> list[QueuedMessage]:
        """List messages under way, oldest first."""
        wanted = Filter(sender, recipient, domain and domain.lower(), state)
        found: list[QueuedMessage] = []
        last: UUID | None = after
        while last is not None and len(found) < limit:  # no statement looks at more than a window of a long queue
            end = await store.window_end(last, WINDOW)
            found += map(QueuedMessage.of, await store.messages(last, end, limit - len(found), wanted, NAMED))
            last = end
        return found

    @routes.get("/{queue_id}", operation_id="show_message")
    async def show(
        queue_id: UUID,
        after: int = Query(default=-1, ge=-1, le=32767, description="`next` of the page before"),
        limit: int = Query(default=1000, ge=1, le=1000, description="recipients at most"),
    ) -> MessageDetail:
        """Show the state of one message, also for a week after it left the queue."""
        message = await store.message(queue_id)
        under_way = await store.under_way(queue_id, after, limit + 1)
        finished = await store.finished(queue_id, after, limit + 1)
        known = message or (finished[0] if finished else None)
        if known is None:
            raise NotFound(f"no message {queue_id.hex} is under way or was within the last week")
        numbers = sorted({row.n for row in (*under_way, *finished)})
        shown = numbers[:limit]
        attempts: dict[int, list[Attempt]] = {}
        for attempt in await store.attempts(queue_id, shown, ATTEMPTS):
            attempts.setdefault(attempt.n, []).append(Attempt.of(attempt))
        recipients = {row.n: Recipient.finished(row, attempts.get(row.n, [])) for row in finished}
        if message:
            recipients |= {
                row.n: Recipient.under_way(row, message.expires, attempts.get(row.n, [])) for row in under_way
            }
        return MessageDetail(
            id=queue_id.hex,
            sender=known.mail_from,
            size=message.size if message else None,
            first_seen=known.first_seen,
            expires=message.expires if message else None,
            recipients=[recipients[n] for n in shown],
            next=shown[-1] if len(numbers) > limit else None,
        )

    @routes.post("/retry", operation_id="retry_all")
    async def retry_all() -> Retried:
        """Try all waiting recipients now."""
        return await _retry(UUID(int=0), UUID(int=2**128 - 1))

    @routes.post("/{queue_id}/retry", operation_id="retry_message")
    async def retry(queue_id: UUID) -> Retried:
        """Try the waiting recipients of one message now."""
        if await store.message(queue_id) is None:
            raise NotFound(f"no message {queue_id.hex} is under way")
        return await _retry(queue_id, queue_id)

    async def _retry(first: UUID, last: UUID) -> Retried:
        count, after = 0, (first, -1)
        while True:  # in slices: no statement holds more rows than this
            end = await store.retry_window(after, last, SLICE)
            now = clock.now()
            pairs = await store.retry(after, end or (last, 32767), now)
            wake(pairs, now)
            count += len(pairs)
            if end is None:
                return Retried(recipients=count)
            after = end

    return routes
