"""Everybody else's mailboxes: claim by destination, hand groups to the remote courier, record how they ended."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby
from uuid import UUID

import asyncpg

from bodystore import BodyGone, BodyStore
from mailkit.batch import Pace
from mailkit.clock import Clock
from mailkit.db import translate
from mailkit.lifecycle import describe
from mailkit.logs import get_logger
from queue_worker.couriers import Outcome, RemoteCourier, RemoteMessage, RemoteRecipient, Verdict
from queue_worker.destinations import Destinations, split
from queue_worker.leases import LEASE, Leases
from queue_worker.models import Claim, End, Result, clean
from queue_worker.record import Recorder
from queue_worker.schedule import TURN_SECONDS
from queue_worker.storage.queue import sql

log = get_logger()

#: Domains claimed from by one statement, and recipients of each at most.
DOMAINS = 50
EACH = 100
#: Recipients in hand and conversations under way at once, in all.
IN_HAND = 5000
CONVERSATIONS = 500
#: Domains one look for due mail walks over.
WALK = 500
POLL_SECONDS = 1.0
#: Bodies up to this size are fetched together for a conversation; a larger one when its turn comes.
PREFETCH = 32 * 1024

_ENDS = {
    Verdict.delivered: End.delivered, Verdict.deferred: End.deferred, Verdict.failed: End.failed,
    Verdict.in_doubt: End.in_doubt, Verdict.returned: End.returned,
}  # fmt: skip
_UNREACHED = "4.4.1"  # S9
_DOUBT = "The remote host may have taken the message: its answer was lost. (#4.4.2)"


class Delivery:
    """The loop that empties the remote side of the queue. `wake` with domains that have something new."""

    def __init__(
        self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, worker: UUID, leases: Leases, recorder: Recorder,
        remote: RemoteCourier, *, per_domain: int, clock_shift: timedelta = timedelta(),
    ) -> None:  # fmt: skip
        self._pool = pool
        self._bodies = bodies
        self._clock = clock
        self._worker = worker
        self._leases = leases
        self._recorder = recorder
        self._remote = remote
        self._shift = clock_shift
        self._destinations = Destinations(per_domain)
        self._due = asyncio.Event()
        self._in_hand = 0
        self._conversations: set[asyncio.Task[None]] = set()
        self._records: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._cursor = ""

    def wake(self, domains: Iterable[str] = ()) -> None:
        """Something was enqueued for `domains` ("" is none), or a slot is free."""
        self._destinations.ready(domain for domain in domains if domain)
        self._due.set()

    async def run(self) -> None:
        """Deliver until stopped."""
        looked = 0.0
        loop = asyncio.get_running_loop()
        pace = Pace(TURN_SECONDS)
        while not self._stopping:
            self._due.clear()
            try:
                if loop.time() - looked >= POLL_SECONDS and await self.look():
                    looked = loop.time()  # a whole round over all domains is done; the next one in a second
                await pace.wait()
                if not await self.turn():
                    await self._wait(POLL_SECONDS - (loop.time() - looked))
            except Exception as error:
                if translate(error) is None:
                    log.error("bug", work="deliver", error=describe(error), exc_info=error)
                else:
                    log.warning("neighbour_away", work="deliver", error=describe(error))
                await asyncio.sleep(1)

    async def stop(self, grace: float) -> None:
        """Claim nothing more; conversations end by decision 13 within `grace` seconds, and what they said is recorded."""
        self._stopping = True
        self._due.set()
        await self._remote.stop(grace)
        await self.settled(grace + 1)

    async def settled(self, seconds: float) -> None:
        """Wait until nothing is under way, at most `seconds`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (tasks := self._conversations | self._records) and loop.time() < end:
            await asyncio.wait(tasks, timeout=end - loop.time())

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._due.wait(), max(seconds, 0))
        except TimeoutError:
            pass

    # -- claiming

    async def look(self) -> bool:
        """Walk on over the domains of the queue and note those with something due. True: the round is complete."""
        rows = await self._pool.fetch(sql.due_destinations, self._clock.now(), self._cursor, WALK)
        self._destinations.ready(row["destination"] for row in rows if row["is_due"])
        self._cursor = rows[-1]["destination"] if len(rows) == WALK else ""
        return not self._cursor

    async def turn(self) -> int:
        """Claim for the domains whose turn it is and begin their conversations; returns how many recipients."""
        if self._in_hand >= IN_HAND or self._destinations.conversations >= CONVERSATIONS:
            return 0
        domains = self._destinations.take(DOMAINS)
        if not domains:
            return 0
        now = self._clock.now()
        rows = await self._pool.fetch(sql.claim_remote, now, self._worker, now + LEASE, EACH, domains, self._shift)
        claims = [Claim(**dict(row)) for row in rows]
        self._leases.hold(claims)
        self._in_hand += len(claims)
        doubtful = [claim for claim in claims if claim.was_sent]
        if doubtful:
            self._end([Result(claim, End.in_doubt, "4.4.2", _DOUBT) for claim in doubtful])
        order = sorted((c for c in claims if not c.was_sent), key=lambda c: (c.destination, c.message_id, c.n))
        by_domain = {domain: list(group) for domain, group in groupby(order, key=lambda c: c.destination)}
        counts = {domain: sum(1 for c in claims if c.destination == domain) for domain in domains}
        for domain in domains:
            if counts[domain] >= EACH:
                self._destinations.ready([domain])
            messages = [list(group) for _, group in groupby(by_domain.get(domain, ()), key=lambda c: c.message_id)]
            size = split(len(messages), self._destinations.free(domain))
            for start in range(0, len(messages), size):
                self._begin(domain, messages[start : start + size])
        return len(claims)

    # -- conversations

    def _begin(self, domain: str, messages: list[list[Claim]]) -> None:
        self._destinations.begin(domain)
        task = asyncio.get_running_loop().create_task(self._converse(domain, messages))
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)

    async def _converse(self, domain: str, messages: list[list[Claim]]) -> None:
        bodies = _Bodies(self._bodies, [group[0] for group in messages])
        left = {id(claim): claim for group in messages for claim in group}
        reached = False

        def report(outcomes: Sequence[Outcome]) -> None:
            nonlocal reached
            results = [_result(outcome) for outcome in outcomes if left.pop(id(outcome.key), None) is not None]
            reached = reached or any(r.end is not End.returned and r.status != _UNREACHED for r in results)
            if results:
                self._end(results)

        def remote_message(group: list[Claim]) -> RemoteMessage:
            first = group[0]
            return RemoteMessage(
                first.message_id, first.mail_from, [RemoteRecipient(claim, claim.address) for claim in group], first.size,
                first.eight_bit, first.smtputf8, load_body=lambda: bodies.load(first),
                before_dot=lambda: self._leases.mark_dot([claim for claim in group if id(claim) in left]),
            )  # fmt: skip

        try:
            await self._remote.deliver(domain, [remote_message(group) for group in messages], report)
        except Exception as error:
            log.error("bug", work="converse", error=describe(error), exc_info=error)
        finally:
            if left:  # nothing was said about these: their leases run out, and the mark says whether they are in doubt
                self._leases.release(list(left.values()))
                self._in_hand -= len(left)
            self._destinations.end(domain, reached)
            self._due.set()

    def _end(self, results: list[Result]) -> None:
        """Record in the background; the leases are held until that is committed."""
        task = asyncio.get_running_loop().create_task(self._record(results))
        self._records.add(task)
        task.add_done_callback(self._records.discard)

    async def _record(self, results: list[Result]) -> None:
        try:
            await self._recorder.record_soon(results)
        finally:
            self._leases.release([result.claim for result in results])
            self._in_hand -= len(results)
            self._due.set()


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
        if self._fetched is None or (self._fetched.done() and self._fetched.exception()):
            self._fetched = asyncio.ensure_future(self._bodies.read_many(self._small))
        found = (await asyncio.shield(self._fetched)).get(claim.body_id)
        if found is None:
            raise BodyGone(f"body {claim.body_id} is gone")
        return found


def _result(outcome: Outcome) -> Result:
    claim = outcome.key
    assert isinstance(claim, Claim)
    return Result(
        claim, _ENDS[outcome.verdict], outcome.status, clean(outcome.text),
        outcome.remote_host and clean(outcome.remote_host), outcome.diagnostic and clean(outcome.diagnostic),
    )  # fmt: skip
