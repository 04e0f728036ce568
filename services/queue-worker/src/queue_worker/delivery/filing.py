"""Delivery to local mailboxes: claim due recipients in lists, hand them to mailstore, record the results."""

import asyncio
from uuid import UUID

from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailkit.rpc.batch import Pace
from queue_worker.couriers.local import LocalCourier
from queue_worker.delivery.floor import Floor
from queue_worker.delivery.leases import LEASE, Leases
from queue_worker.delivery.record import Recorder
from queue_worker.delivery.schedule import LOCAL_PAUSES, TURN_SECONDS
from queue_worker.models import NEVER
from queue_worker.storage.claims import Claims

log = get_logger()

BATCH = 200
#: While mailstore does not answer: recipients of a list, and most seconds between two lists. The other recipients stay due.
PROBE = 10
PROBE_PAUSE = 5
POLL_SECONDS = 1.0
#: Seconds after which the next list no longer waits for a slow one, and the most lists under way at once.
SLOW_SECONDS = 2.0
SIDE_BY_SIDE = 4


class LocalDelivery:
    """The loop that delivers to local mailboxes. Call `wake` when something new is due."""

    def __init__(self, claims: Claims, clock: Clock, leases: Leases, recorder: Recorder, local: LocalCourier) -> None:
        self._claims = claims
        self._clock = clock
        self._leases = leases
        self._recorder = recorder
        self._local = local
        self._due = asyncio.Event()
        self._pace = Pace(TURN_SECONDS)
        self._stopping = False
        self.floor = Floor()
        self.oldest: UUID | None = None
        """Id of the oldest message under way, updated by maintenance."""

    def wake(self) -> None:
        self._due.set()

    def stop(self) -> None:
        """Claim nothing more; `run` finishes the work in hand."""
        self._stopping = True
        self._due.set()

    async def run(self) -> None:
        """File until stopped and nothing is in hand.

        Each list has what became due meanwhile; a slow list does not delay the next one (decision 0034).
        """
        turns: set[asyncio.Task[tuple[bool, float]]] = set()
        try:
            while not self._stopping:
                self._due.clear()
                await self._pace.wait()
                turn = asyncio.get_running_loop().create_task(self._one())
                turns.add(turn)
                turn.add_done_callback(turns.discard)
                await asyncio.wait({turn}, timeout=SLOW_SECONDS)
                if turn.done():
                    idle, pause = turn.result()
                    if idle:
                        await self._wait(POLL_SECONDS)
                    await asyncio.sleep(pause)
                elif len(turns) >= SIDE_BY_SIDE:
                    await asyncio.wait(turns, return_when=asyncio.FIRST_COMPLETED)
            while turns:
                await asyncio.wait(turns)
        finally:
            for turn in turns:
                turn.cancel()

    async def _one(self) -> tuple[bool, float]:
        """Run one turn; return (whether nothing was due, seconds until the database or mailstore is asked again)."""
        try:
            found = await self.turn()
        except Exception as error:
            report(error, "file")
            return False, 1
        away = self._local.away
        return not found, min(LOCAL_PAUSES[min(away, len(LOCAL_PAUSES)) - 1], PROBE_PAUSE) if away else 0

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):  # wait_for loses a cancellation before Python 3.12
                await self._due.wait()
        except TimeoutError:
            pass

    async def turn(self) -> int:
        """Claim, file and record one list; return how many recipients it had."""
        now = self._clock.now()
        most = PROBE if self._local.away else BATCH
        claims = await self._claims.local(now, now + LEASE, most, self.floor.since(now))
        self.floor.looked(now, max(claim.due for claim in claims) if len(claims) >= most else NEVER)
        if not claims:
            return 0
        self._leases.hold(claims)
        try:
            await self._recorder.record(await self._local.deliver(claims, self.oldest))
        finally:
            self._leases.release(claims)
        return len(claims)
