"""MTA-STS policies are fetched again before they expire, by one replica for all (RFC 8461 3.3, 10.2; docs/decisions/0095)."""

import asyncio

from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from queue_worker.couriers import RemoteCourier

#: Seconds between two rounds, and most policies that one fetches, all at once.
REFRESH_SECONDS = 60.0
EACH = 20


class StsRefresh:
    """Refreshes policies in use, and deletes those that have expired."""

    def __init__(self, remote: RemoteCourier, clock: Clock, singleton: Singleton) -> None:
        self._remote = remote
        self._clock = clock
        self._singleton = singleton

    async def round(self) -> None:
        """Fetch the policies that are due; with MTA-STS off, none is."""
        sts = self._remote.policies.sts
        with self._singleton.round():
            if await self._singleton.mine() and sts is not None:
                now = self._clock.now()
                await sts.rows.forget(now)
                await asyncio.gather(*[sts.refresh(domain) for domain in await sts.rows.due(now, EACH)])

    async def end(self) -> None:
        """Release the lease at shutdown."""
        await self._singleton.release()
