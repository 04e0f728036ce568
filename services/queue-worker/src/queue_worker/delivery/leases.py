"""Leases of this worker's claims, renewed while attempts run, and the "dot sent" mark (decision 6)."""

from collections.abc import Sequence
from datetime import timedelta

from mailkit.errors import PostriderError
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailkit.rpc.batch import Batcher
from queue_worker.models import Claim
from queue_worker.storage.claims import Claims

log = get_logger()

LEASE = timedelta(seconds=60)
RENEW_SECONDS = 20.0
#: A lease with less time left than this allows no mark, which has to be committed well before the lease ends.
MARGIN = timedelta(seconds=5)
#: Least seconds between two statements that write marks: concurrent conversations share them (docs/decisions/0028).
MARK_SECONDS = 0.005


class Leases:
    """The claims in hand: `hold` adds them, `release` removes them. A task calls `renew` every RENEW_SECONDS.

    Each is held by itself, since two attempts for a recipient may run here: one that lost its lease, and the next.
    """

    def __init__(self, claims: Claims, clock: Clock) -> None:
        self._claims = claims
        self._clock = clock
        self._held: set[Claim] = set()
        self._marks: Batcher[list[Claim], bool] = Batcher(self._mark, most=200, spacing=MARK_SECONDS)

    def hold(self, claims: Sequence[Claim]) -> None:
        self._held.update(claims)

    def release(self, claims: Sequence[Claim]) -> None:
        self._held.difference_update(claims)

    def __len__(self) -> int:
        return len(self._held)

    async def renew(self) -> None:
        """Extend all leases in hand by LEASE from now."""
        held = list(self._held)
        if held:
            await self._claims.renew(held, self._clock.now() + LEASE)

    async def take_over(self) -> None:
        """End every lease now, to lose no minute. Only for the single-machine run, which has no other worker."""
        now = self._clock.now()
        await self._claims.take_over(now, now + 2 * LEASE)

    async def mark_dot(self, claims: list[Claim]) -> bool:
        """Commit the mark for these recipients of one message; False if no dot may be sent.

        That is so when a lease is lost or the database does not answer. A mark that was committed all the same only
        makes the attempt one in doubt.
        """
        try:
            return await self._marks.ask(claims)
        except PostriderError as error:
            report(error, "mark_dot")
            return False

    async def _mark(self, groups: Sequence[list[Claim]]) -> list[bool]:
        claims = [claim for group in groups for claim in group]
        marked = await self._claims.mark_dot(claims, self._clock.now() + MARGIN)
        return [all(claim in marked for claim in group) for group in groups]
