"""The remote courier: one group of messages to one destination domain, host by host."""

from collections.abc import Sequence

from queue_worker.couriers.models import CourierSettings, RemoteMessage, Report


class RemoteCourier:
    """Delivers over SMTP. One per process; `deliver` may run many times at once."""

    def __init__(self, settings: CourierSettings) -> None:
        self._settings = settings

    async def deliver(self, domain: str, messages: Sequence[RemoteMessage], report: Report) -> None:
        """Send `messages` to `domain`; `report` hears of every recipient exactly once before this returns."""
        raise NotImplementedError

    async def stop(self, grace: float) -> None:
        """Decision 13: cut what has no final dot (returned), wait up to `grace` seconds for dots under way (else in doubt)."""
        raise NotImplementedError
