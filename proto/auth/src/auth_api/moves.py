"""Part of the operators' client of auth: domains that move in from an old host (docs/decisions/0126)."""

from collections.abc import Sequence

from auth_api.records import Record, at
from mailkit.rpc.client import ServiceClient


class MoveCalls(ServiceClient):
    """The operations on moves. A record has domain, phase (old, new), imap, pop3, networks, mailboxes, made_by_login, started_at, changed_at."""

    async def moves(self) -> list[Record]:
        """Return all moves, at most 2,000."""
        found: list[Record] = []
        path = "/v1/moves"
        while path:
            page, path = await self.page(path)
            found += page
        return found

    async def move(self, name: str) -> Record:
        """Return a domain's move. Raises NotFound."""
        return await self._move("GET", name)

    async def start_move(
        self, name: str, *, imap: Record | None, pop3: Record | None, networks: Sequence[str] = ()
    ) -> Record:
        """Let the old host have the domain's mail and logins; `imap` and `pop3`: host and port. Set the queue's route to it first."""
        return await self._move("PUT", name, content={"imap": imap, "pop3": pop3, "networks": list(networks)})

    async def switch_move(self, name: str) -> Record:
        """Let mail and logins be here, except of what is unknown here."""
        return await self._move("POST", name, "switch")

    async def back_move(self, name: str) -> Record:
        """Let mail and logins be at the old host again."""
        return await self._move("POST", name, "back")

    async def end_move(self, name: str) -> None:
        """Forget the old host. Raises Conflict before the switch."""
        await self.json("DELETE", at("domains", name, "move"))

    async def _move(self, method: str, name: str, *more: str, content: Record | None = None) -> Record:
        answer: Record = await self.json(method, at("domains", name, "move", *more), content, timeout=60.0)
        return answer
