"""The collector (decision 4): bodies that neither the queue nor a mailbox refers to are deleted an hour later."""

import asyncpg

from bodystore import BodyStore
from mailkit.clock import Clock
from mailkit.logs import get_logger
from mailstore_client.client import MailstoreClient
from mailstore_client.wire import ReferenceList
from queue_worker import metrics
from queue_worker.singleton import Singleton
from queue_worker.storage.queue import sql

log = get_logger()

BATCH = 500


class Collector:
    """Looks at due candidates: the queue's references first, then the mailboxes'."""

    def __init__(
        self, pool: asyncpg.Pool, bodies: BodyStore, mailstore: MailstoreClient, clock: Clock, singleton: Singleton
    ) -> None:
        self._pool = pool
        self._bodies = bodies
        self._mailstore = mailstore
        self._clock = clock
        self._singleton = singleton

    async def collect(self) -> int:
        """One round; returns how many bodies were deleted. Raises Unavailable when mailstore cannot be asked."""
        deleted = 0
        while await self._singleton.mine():
            candidates = await self._bodies.due_candidates(self._clock.now(), BATCH)
            if not candidates:
                break
            deleted += await self._look_at(candidates)
        return deleted

    async def _look_at(self, candidates: list[tuple]) -> int:  # type: ignore[type-arg]
        body_ids = list({body_id for _, body_id in candidates})
        # marked first: a reference made after this fails, one made before it is seen by the questions below
        marked = await self._bodies.mark(body_ids, self._clock.now())
        try:
            queued = {row["body_id"] for row in await self._pool.fetch(sql.referenced, marked)}
            rest = [body_id for body_id in marked if body_id not in queued]
            answers = await self._mailstore.references(ReferenceList(rest)) if rest else []
        except BaseException:
            await self._bodies.unmark(marked)
            raise
        free = [body_id for body_id, referenced in zip(rest, answers, strict=True) if not referenced]
        await self._bodies.unmark([body_id for body_id in marked if body_id not in set(free)])
        await self._bodies.delete(free)
        await self._bodies.clear([row_id for row_id, _ in candidates])
        metrics.COLLECTED.inc(len(free))
        if free:
            log.info("collected", bodies=len(free))
        return len(free)
