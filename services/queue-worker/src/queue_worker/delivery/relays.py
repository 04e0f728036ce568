"""The routes that operators set, by which some mail leaves otherwise than by MX (docs/decisions/0083)."""

from uuid import UUID

from queue_worker.couriers import Relay
from queue_worker.storage.routes import Routes

#: Seconds between two looks at the table: a change is in force within 5 s.
REFRESH_SECONDS = 2.0


class Relays:
    """All routes, in memory. `refresh` keeps them; at most `storage.routes.MOST`."""

    def __init__(self, rows: Routes) -> None:
        self._rows = rows
        self._mark = ""
        self._known: dict[tuple[str, str], Relay] = {}

    async def refresh(self) -> None:
        """Read the routes again if they changed."""
        mark = await self._rows.mark()
        if mark != self._mark:
            self._known = {key: Relay(**facts) for key, facts in (await self._rows.all()).items()}
            self._mark = mark

    def of(self, destination: str, flow: UUID | None, sender: str) -> Relay | None:
        """Return the route of mail to `destination` of the account `flow` from `sender`: the first that there is, in this order."""
        if not self._known:
            return None
        keys = (
            ("destination", destination),
            ("account", str(flow)),
            ("sender", sender.rpartition("@")[2].lower()),
            ("all", ""),
        )
        return next((self._known[key] for key in keys if key in self._known), None)
