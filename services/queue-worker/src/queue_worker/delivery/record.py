"""Records how attempts ended: delivered, deferred or given up, with the sender's notice in the same transaction.

Every write names the claim's attempt (decision 6): a worker whose claim was taken over after its lease changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from bodystore import BodyStore
from mailkit.ids import new_id
from mailkit.postgres.pool import translate
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailkit.rpc.batch import Batcher, send_apart
from queue_worker.delivery.bounce import bounce
from queue_worker.delivery.news import log_and_count
from queue_worker.delivery.schedule import TURN_SECONDS, decide
from queue_worker.delivery.suppression import Suppression
from queue_worker.intake.enqueue import destinations, entry
from queue_worker.models import Claim, Decision, Key, Outcome, Pair, QueueEntry, Result
from queue_worker.storage.operations import OperatorAction
from queue_worker.storage.outcomes import Outcomes
from queue_worker.storage.records import Window

log = get_logger()

#: Removed recipients of a batch that are logged one by one; the trace has all of them.
LOGGED = 100


class Recorder:
    """Records results in batches; waits while the database does not answer, since a lost result means a second delivery."""

    def __init__(
        self,
        outcomes: Outcomes,
        bodies: BodyStore,
        clock: Clock,
        suppression: Suppression,
        *,
        helo_name: str,
        lifetime: int,
        retry_first: int,
        delay_notice: int = 0,
        wake: Callable[[Iterable[Pair], datetime], None] = lambda pairs, since: None,
    ) -> None:
        self._outcomes = outcomes
        self._bodies = bodies
        self._clock = clock
        self._suppression = suppression
        self._helo_name = helo_name
        self._lifetime = timedelta(seconds=lifetime)
        self._retry_first = retry_first
        self._delay_notice = timedelta(seconds=delay_notice)
        self._wake = wake
        self._batch: Batcher[list[Result], None] = Batcher(self._flush, most=200, spacing=TURN_SECONDS)

    async def record_soon(self, results: list[Result]) -> None:
        """Record `results` in one batch with the results of other conversations."""
        await self._batch.ask(results)

    async def _flush(self, lists: Sequence[list[Result]]) -> list[None]:
        await self.record([result for results in lists for result in results])
        return [None] * len(lists)

    async def record(self, results: Sequence[Result]) -> None:
        """Record `results`; return when each of them is committed or turned out to be impossible to write."""
        for result, error in zip(results, await send_apart(self._commit_when_there, results), strict=True):
            if error is not None:  # its lease expires, and it is tried again
                report(error, "record", queue_id=result.claim.message_id)

    async def remove(self, window: Window, operation: OperatorAction) -> tuple[int, list[Key]]:
        """Remove waiting recipients without a bounce, for an operator; return how many match, and those removed."""
        async with self._outcomes.transaction((), operation.at) as transaction:
            found, removed = await transaction.remove(window, operation)
            await transaction.drop(list(dict.fromkeys(message_id for message_id, _ in removed)), operation.at)
        for queue_id, n in removed[:LOGGED]:
            log.info("removed", queue_id=queue_id, n=n)
        return found, removed

    async def _commit_when_there(self, results: Sequence[Result]) -> list[None]:
        """Commit `results`, retrying while the database does not answer. Raises every other error."""
        pause = 0.2
        while results:
            try:
                await self._commit(list(results))
                break
            except Exception as error:
                if translate(error) is None:
                    raise
                report(error, "record")
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5)
        return [None] * len(results)

    async def _commit(self, results: list[Result]) -> None:
        now = self._clock.now()
        decisions = [decide(result, now, self._retry_first, self._delay_notice) for result in results]
        done = [d for d in decisions if d.is_final]
        back = [d for d in decisions if d.outcome is Outcome.returned]
        later = [d for d in decisions if not d.is_final and d.outcome is not Outcome.returned]
        notices = await self._notices([d for d in (*done, *later) if d.notifies], now)
        written, entries = await self._write(done, later, back, notices, now)
        if entries:
            self._wake(destinations(entries), now)
        log_and_count([d for d in (*done, *later) if d.claim in written], entries, now)

    async def _write(
        self,
        done: list[Decision],
        later: list[Decision],
        back: list[Decision],
        notices: dict[UUID, QueueEntry],
        now: datetime,
    ) -> tuple[set[Claim], list[QueueEntry]]:
        """Write all in one transaction; return the claims that passed the fence, and the notices inserted."""
        written: set[Claim] = set()
        ids = sorted({d.claim.message_id for d in done})
        async with self._outcomes.transaction(notices.values(), now) as transaction:
            if done:
                await transaction.lock(ids)
                written = await transaction.finish(done, now)
            if later:
                written |= await transaction.defer(later, {m: e.queue_id for m, e in notices.items()}, now)
            notifying = [d for d in (*done, *later) if d.notifies]
            lost = {d.claim.message_id for d in notifying if d.claim not in written}
            # only some recipients of these messages passed the fence, and their notices would name the others too
            entries = [e for message_id, e in notices.items() if message_id not in lost]
            if lost:
                left = [d for d in notifying if d.claim in written and d.claim.message_id in lost]
                again = await self._notices(left, now, notices)
                entries += again.values()
                await transaction.add(again.values(), now)
            await transaction.insert(entries, now, self._lifetime)
            if bounced := self._suppression.bounced(d for d in done if d.claim in written):
                await transaction.note_bounced(bounced, now, self._suppression.life)
            if back:
                await transaction.give_back(back)
            if done:
                await transaction.drop(ids, now)
        return written, entries

    async def _notices(
        self, decisions: list[Decision], now: datetime, before: Mapping[UUID, QueueEntry] = MappingProxyType({})
    ) -> dict[UUID, QueueEntry]:
        """Make one notice per message for all `decisions` about it, by the message's id; under the ids of those made `before`."""
        about: dict[UUID, list[Decision]] = {}
        for decision in decisions:
            about.setdefault(decision.claim.message_id, []).append(decision)
        if not about:
            return {}
        originals = await self._outcomes.originals(list(about))
        bodies = await self._bodies.read_many([original.body_id for original in originals])
        made = {}
        for o in originals:
            notice_id = before[o.id].queue_id if o.id in before else new_id()
            notice = bounce(o, bodies.get(o.body_id, b""), about[o.id], self._helo_name, now, notice_id)
            made[o.id] = entry(notice, bounce_of=o.id)
        return made
