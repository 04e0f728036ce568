"""The loop: claim what is due, hand it to a courier, record how it ended."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import asyncpg

from bodystore import BodyGone, BodyStore
from mailkit.clock import Clock
from mailkit.db import translate
from mailkit.lifecycle import describe
from mailkit.logs import get_logger
from queue_worker.couriers import Outcome, RemoteCourier, RemoteMessage, RemoteRecipient, Verdict
from queue_worker.couriers.local import LocalCourier
from queue_worker.leases import LEASE, Leases
from queue_worker.models import Claim, End, Result
from queue_worker.record import Recorder
from queue_worker.storage.queue import sql

log = get_logger()

LOCAL_BATCH = 200
LOCAL_FLIGHTS = 3
REMOTE_BATCH = 200
#: Recipients elsewhere in hand at once, and the messages one conversation is given.
REMOTE_IN_HAND = 1000
CONVERSATION = 25
POLL_SECONDS = 1.0
#: Bodies up to this size are fetched together for a conversation; a larger one when its turn comes.
PREFETCH = 256 * 1024

_ENDS = {
    Verdict.delivered: End.delivered, Verdict.deferred: End.deferred, Verdict.failed: End.failed,
    Verdict.in_doubt: End.in_doubt, Verdict.returned: End.returned,
}  # fmt: skip
_DOUBT = "The remote host may have taken the message: its answer was lost. (#4.4.2)"


class Delivery:
    """One worker's delivery. `run` until cancelled; `wake` when something new is due."""

    def __init__(
        self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, worker: UUID, leases: Leases, recorder: Recorder,
        local: LocalCourier, remote: RemoteCourier, *, per_domain: int,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._bodies = bodies
        self._clock = clock
        self._worker = worker
        self._leases = leases
        self._recorder = recorder
        self._local = local
        self._remote = remote
        self._per_domain = per_domain
        self._local_due = asyncio.Event()
        self._remote_due = asyncio.Event()
        self._room = asyncio.Event()
        self._running: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.oldest: UUID | None = None

    def wake(self) -> None:
        """Something was enqueued or is to be tried now."""
        self._local_due.set()
        self._remote_due.set()

    async def run(self) -> None:
        """Deliver until `stop`."""
        await asyncio.gather(*(self._local_loop() for _ in range(LOCAL_FLIGHTS)), self._remote_loop())

    async def stop(self, grace: float) -> None:
        """Claim nothing more; finish what is in hand within `grace` seconds (decision 13)."""
        self._stopping = True
        self.wake()
        self._room.set()
        await self._remote.stop(grace)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _wait(self, event: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(event.wait(), POLL_SECONDS)
        except TimeoutError:
            pass

    # -- mailboxes of ours

    async def _local_loop(self) -> None:
        while not self._stopping:
            self._local_due.clear()
            try:
                claims = await self._claim(sql.claim_local, LOCAL_BATCH)
                if not claims:
                    await self._wait(self._local_due)
                    continue
                if len(claims) == LOCAL_BATCH:
                    self._local_due.set()
                self._leases.hold(claims)
                try:
                    await self._recorder.record(await self._local.deliver(claims, self.oldest))
                finally:
                    self._leases.release(claims)
            except Exception as error:
                await self._trouble("deliver local", error)

    async def _claim(self, statement: str, most: int, *more: object) -> list[Claim]:
        now = self._clock.now()
        rows = await self._pool.fetch(statement, now, self._worker, now + LEASE, most, *more)
        return [Claim(**dict(row)) for row in rows]

    async def _trouble(self, work: str, error: Exception) -> None:
        known = translate(error)
        if known is None:
            log.error("bug", work=work, error=describe(error), exc_info=error)
        else:
            log.warning("neighbour_away", work=work, error=describe(error))
        await asyncio.sleep(1)

    # -- everybody else's

    async def _remote_loop(self) -> None:
        while not self._stopping:
            self._remote_due.clear()
            self._room.clear()
            try:
                if len(self._leases) >= REMOTE_IN_HAND:
                    await self._wait(self._room)
                    continue
                busy = [domain for domain, count in self._running.items() if count >= self._per_domain]
                started: datetime = await self._pool.fetchval(sql.postmaster_start)
                claims = await self._claim(sql.claim_remote, REMOTE_BATCH, busy, started)
                if not claims:
                    await self._wait(self._remote_due)
                    continue
                self._leases.hold(claims)
                await self._start(claims)
            except Exception as error:
                await self._trouble("deliver remote", error)

    async def _start(self, claims: list[Claim]) -> None:
        doubtful = [claim for claim in claims if claim.was_sent]
        if doubtful:
            self._end([Result(claim, End.in_doubt, "4.4.2", _DOUBT) for claim in doubtful])
        order = sorted((c for c in claims if not c.was_sent), key=lambda c: (c.destination, c.message_id, c.n))
        for domain, of_domain in groupby(order, key=lambda c: c.destination):
            messages = [list(group) for _, group in groupby(of_domain, key=lambda c: c.message_id)]
            for start in range(0, len(messages), CONVERSATION):
                self._launch(domain, messages[start : start + CONVERSATION])

    def _launch(self, domain: str, messages: list[list[Claim]]) -> None:
        self._running[domain] = self._running.get(domain, 0) + 1
        task = asyncio.get_running_loop().create_task(self._converse(domain, messages))
        self._tasks.add(task)

        def ended(task: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            self._running[domain] -= 1
            if not self._running[domain]:
                del self._running[domain]
            self._room.set()
            self._remote_due.set()
            if not task.cancelled() and task.exception():
                log.error("bug", work="converse", error=describe(task.exception()), exc_info=task.exception())

        task.add_done_callback(ended)

    async def _converse(self, domain: str, messages: list[list[Claim]]) -> None:
        fetch = _Bodies(self._bodies, [group[0] for group in messages])
        reported: set[int] = set()
        remote = [
            RemoteMessage(
                group[0].message_id, group[0].mail_from,
                [RemoteRecipient(claim, claim.address) for claim in group], group[0].size,
                group[0].eight_bit, group[0].smtputf8,
                lambda claim=group[0]: fetch.load(claim),  # type: ignore[misc]
                lambda group=group: self._leases.mark_dot([c for c in group if id(c) not in reported]),  # type: ignore[misc]
            )
            for group in messages
        ]  # fmt: skip
        claims = [claim for group in messages for claim in group]
        waiting: set[asyncio.Task[None]] = set()

        def report(outcomes: Sequence[Outcome]) -> None:
            results = [_result(outcome) for outcome in outcomes]
            reported.update(id(result.claim) for result in results)
            task = self._end(results)
            waiting.add(task)
            task.add_done_callback(waiting.discard)

        try:
            await self._remote.deliver(domain, remote, report)
        except Exception as error:
            log.error("bug", work="deliver", error=describe(error), exc_info=error)
        left = [claim for claim in claims if id(claim) not in reported]
        if left:
            self._leases.release(left)  # their leases run out; the mark says whether they are in doubt
        if waiting:
            await asyncio.wait(waiting)

    def _end(self, results: list[Result]) -> "asyncio.Task[None]":
        """Record in the background; the leases are held until that is committed."""
        task = asyncio.get_running_loop().create_task(self._record(results))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _record(self, results: list[Result]) -> None:
        try:
            await self._recorder.record(results)
        except Exception as error:
            log.error("bug", work="record", error=describe(error), exc_info=error)
        finally:
            self._leases.release([result.claim for result in results])


class _Bodies:
    """The bodies of one conversation: small ones in one query at the first need."""

    def __init__(self, bodies: BodyStore, claims: list[Claim]) -> None:
        self._bodies = bodies
        self._small = [claim.body_id for claim in claims if claim.size <= PREFETCH]
        self._fetched: asyncio.Future[dict[UUID, bytes]] | None = None

    async def load(self, claim: Claim) -> bytes:
        """The message's bytes. Raises BodyGone."""
        if claim.size > PREFETCH:
            return await self._bodies.read(claim.body_id)
        if self._fetched is None:
            self._fetched = asyncio.ensure_future(self._bodies.read_many(self._small))
        found = (await asyncio.shield(self._fetched)).get(claim.body_id)
        if found is None:
            raise BodyGone(f"body {claim.body_id} is gone")
        return found


def _result(outcome: Outcome) -> Result:
    claim = outcome.key
    assert isinstance(claim, Claim)
    return Result(claim, _ENDS[outcome.verdict], outcome.status, outcome.text, outcome.remote_host, outcome.diagnostic)
