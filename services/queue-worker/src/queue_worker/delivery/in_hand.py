"""Remote recipients in hand: claimed under a lease, and counted for their flow, until their results are committed."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from queue_worker.delivery.leases import Leases
from queue_worker.delivery.record import Recorder
from queue_worker.delivery.shares import Shares
from queue_worker.models import Claim, Result

#: Most recipients in hand, in all.
MOST = 5000


class InHand:
    """The recipients in hand of one worker. `freed` is called when some of them are recorded."""

    def __init__(self, leases: Leases, recorder: Recorder, freed: Callable[[], None]) -> None:
        self._leases = leases
        self._recorder = recorder
        self._freed = freed
        self._shares = Shares(MOST)
        self.recording: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return self._shares.total

    def free(self, flow: UUID) -> int:
        """Return how many more recipients `flow` may have in hand."""
        return self._shares.free(flow)

    def allow(self, flow: UUID, most: int) -> int:
        """Count up to `most` recipients for `flow`, before they are claimed; return how many.

        It is at least one, even beyond the share: pairs that join another flow's conversation are few.
        """
        limit = max(1, min(most, (self._shares.free(flow) + 1) // 2))
        self._shares.take(flow, limit)
        return limit

    def unclaimed(self, flow: UUID, count: int) -> None:
        """Count `count` recipients of `flow` that were allowed and not claimed."""
        self._shares.give(flow, count)

    def hold(self, claims: Sequence[Claim]) -> None:
        """Have the leases of `claims` renewed."""
        self._leases.hold(claims)

    def record(self, results: list[Result]) -> None:
        """Record `results` in the background; the leases are held until they are committed."""
        task = asyncio.get_running_loop().create_task(self._record(results))
        self.recording.add(task)
        task.add_done_callback(self.recording.discard)

    async def _record(self, results: list[Result]) -> None:
        try:
            await self._recorder.record_soon(results)
        finally:
            self.let_go([result.claim for result in results])
            self._freed()

    def let_go(self, claims: list[Claim]) -> None:
        """Have the leases of `claims` no longer renewed."""
        self._leases.release(claims)
        for claim in claims:
            self._shares.give(claim.flow)
