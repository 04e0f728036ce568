"""Waits that a test ends: a stand-in for `asyncio.sleep`."""

import asyncio


class Sleeps:
    """`asked`: the seconds of each wait so far; `under_way`: of those that have not ended."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.under_way: list[float] = []
        self._over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.under_way.append(seconds)
        over = self._over
        try:
            await over.wait()
        finally:
            self.under_way.remove(seconds)

    def end(self) -> None:
        """The waits under way are over; later ones are not."""
        over, self._over = self._over, asyncio.Event()
        over.set()
