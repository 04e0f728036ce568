"""The collector (decision 4): bodies that neither the queue nor a mailbox refers to are deleted an hour later."""

from collections.abc import Sequence
from uuid import UUID

from bodystore import BodyStore
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import ReferenceList
from queue_worker import metrics
from queue_worker.storage.upkeep import Upkeep

log = get_logger()

BATCH = 500


class Collector:
    """Deletes those of the due candidates that nothing refers to. One replica does it for all.

    The bodies may be in another database than the lease, so a deletion requires the mark that the same round made.
    """

    def __init__(
        self, store: Upkeep, bodies: BodyStore, mailstore: MailstoreClient, clock: Clock, singleton: Singleton
    ) -> None:
        self._store = store
        self._bodies = bodies
        self._mailstore = mailstore
        self._clock = clock
        self._singleton = singleton

    async def collect(self) -> int:
        """Run one round; return how many bodies were deleted. Raises Unavailable if mailstore does not answer."""
        deleted = 0
        with self._singleton.round():
            while await self._singleton.mine():
                candidates = await self._bodies.due_candidates(self._clock.now(), BATCH)
                if not candidates:
                    break
                deleted += await self._delete_unreferenced(candidates)
        return deleted

    async def end(self) -> None:
        """Release the singleton at shutdown. If the database does not answer, its lease expires."""
        try:
            await self._singleton.release()
        except Exception as error:
            report(error, "collector")

    async def _delete_unreferenced(self, candidates: Sequence[tuple[UUID, UUID]]) -> int:
        """Delete the bodies of `candidates` that nothing refers to; return how many.

        Most candidates are still referred to, so the first check writes nothing. The other bodies are marked and checked
        again: a first reference made after the mark fails, and one made before it is seen by the second check.
        """
        free = await self._unreferenced(sorted({body_id for _, body_id in candidates}))
        deleted = 0
        if free:
            token = self._clock.now()
            marked = await self._bodies.mark(free, token)
            still = await self._unreferenced(marked)
            await self._bodies.unmark([body_id for body_id in marked if body_id not in set(still)], token)
            deleted = await self._bodies.delete(still, token)
            metrics.COLLECTED.inc(deleted)
            log.info("collected", bodies=deleted)
        await self._bodies.clear([row_id for row_id, _ in candidates])
        return deleted

    async def _unreferenced(self, body_ids: Sequence[UUID]) -> list[UUID]:
        """Return the bodies that neither the queue nor a mailbox refers to.

        The queue is checked first: a message filed between the two checks is in a mailbox by the second.
        """
        queued = await self._store.referenced(body_ids)
        rest = [body_id for body_id in body_ids if body_id not in queued]
        answers = await self._mailstore.references(ReferenceList(rest)) if rest else []
        return [body_id for body_id, referenced in zip(rest, answers, strict=True) if not referenced]
