"""The group commit of hand-overs (decision 3): lists that arrive while one is being flushed are committed together."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from time import time_ns
from uuid import UUID

from mailkit.errors import NoSpace, Unavailable
from mailkit.postgres.pool import translated
from mailkit.process import spans
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailkit.rpc.batch import Batcher
from queue_worker import metrics
from queue_worker.dmarc.counts import DmarcCounts
from queue_worker.intake.enqueue import destinations, entry
from queue_worker.models import Pair, QueueEntry
from queue_worker.storage.handovers import Handovers
from queue_worker_api.wire import LIST_BYTES, Submission, SubmissionAnswer

log = get_logger()


class Intake:
    """Accepts submissions and answers each after its transaction is flushed (decision 2)."""

    def __init__(
        self,
        handovers: Handovers,
        clock: Clock,
        disk: Disk,
        dmarc: DmarcCounts,
        *,
        lifetime_seconds: int,
        wake: Callable[[Iterable[Pair], datetime], None],
    ) -> None:
        self._handovers = handovers
        self._clock = clock
        self._disk = disk
        self._dmarc = dmarc
        self._lifetime = timedelta(seconds=lifetime_seconds)
        self._wake = wake
        self._batch: Batcher[Submission, SubmissionAnswer] = Batcher(
            self._flush, most=200, most_bytes=LIST_BYTES, size=lambda item: len(item.body)
        )

    async def take(self, items: Sequence[Submission]) -> list[SubmissionAnswer]:
        """Commit `items` and return one answer per item, in order.

        Raises Unavailable if the database does not answer; then no item is known to be stored.
        """
        if self._disk.is_full():
            return [SubmissionAnswer("no_space") for _ in items]
        answers = await asyncio.gather(*(self._batch.ask(item) for item in items), return_exceptions=True)
        return [_answered(item, answer) for item, answer in zip(items, answers, strict=True)]

    async def _flush(self, items: Sequence[Submission]) -> list[SubmissionAnswer]:
        async with translated():
            answers = await self._commit(items)
        metrics.BATCH.observe(len(items))
        return answers

    async def _commit(self, items: Sequence[Submission]) -> list[SubmissionAnswer]:
        first: dict[UUID, QueueEntry] = {}
        for item in items:
            first.setdefault(item.submission_id, entry(item))
        # one order in all transactions: no deadlock
        entries = sorted(first.values(), key=lambda e: e.queue_id)
        now, began = self._clock.now(), time_ns()
        new = await self._handovers.insert(entries, now, self._lifetime)
        self._log_and_wake([e for e in entries if e.queue_id in new], now, began)
        return [SubmissionAnswer("queued", item.submission_id) for item in items]

    def _log_and_wake(self, new: Sequence[QueueEntry], now: datetime, began: int) -> None:
        metrics.ACCEPTED.inc(len(new))
        self._wake(destinations(new), now)
        for e in new:
            self._dmarc.accepted(e)
            log.info("queued", queue_id=e.queue_id, size=len(e.body), recipients=len(e.recipients))
            spans.record(
                "hand-over",
                e.traceparent,
                began,
                queue_id=e.queue_id.hex,
                size=len(e.body),
                recipients=len(e.recipients),
            )


def _answered(item: Submission, answer: SubmissionAnswer | BaseException) -> SubmissionAnswer:
    """Return the answer to the gateway for `item`. Raises Unavailable."""
    if isinstance(answer, SubmissionAnswer):
        return answer
    if isinstance(answer, NoSpace):
        return SubmissionAnswer("no_space")
    if isinstance(answer, Unavailable) or not isinstance(answer, Exception):
        raise answer
    report(answer, "take", queue_id=item.submission_id.hex)
    return SubmissionAnswer("failed")
