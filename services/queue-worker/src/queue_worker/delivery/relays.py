"""The routes that operators set, by which some mail leaves otherwise than by MX (docs/decisions/0083)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from queue_worker.couriers import Relay
from queue_worker.models import NO_FLOW
from queue_worker.storage.routes import Routes

#: Seconds between two looks at the table: a change is in force within 5 s.
REFRESH_SECONDS = 2.0


class Relays:
    """All routes, in memory. `refresh` keeps them; at most `storage.routes.MOST`."""

    def __init__(self, rows: Routes) -> None:
        self._rows = rows
        self._mark = ""
        self._known: dict[tuple[str, str], tuple[Relay, ...]] = {}

    async def refresh(self) -> None:
        """Read the routes again if they changed."""
        mark = await self._rows.mark()
        if mark != self._mark:
            self._known = {key: _relays(_words(*key), facts) for key, facts in (await self._rows.all()).items()}
            self._mark = mark

    def of(
        self,
        destination: str,
        flow: UUID | None,
        sender: str,
        message_id: UUID = NO_FLOW,
        *,
        via: str = "",
        named: str = "",
    ) -> Relay | None:
        """Return the route of mail to `destination`, by a forward of `via`, of the account `flow`, from `sender`: the first there is.

        `named`: the one that an operator chose for the recipient; if it is gone, it is as if none had been chosen.
        Of a pool, a message has the same source at each attempt, which greylisting remembers (docs/decisions/0100).
        """
        found = self.pool(destination, flow, sender, via=via, named=named)
        return found[message_id.int % len(found)] if found else None

    def pool(
        self, destination: str, flow: UUID | None, sender: str, *, via: str = "", named: str = ""
    ) -> tuple[Relay, ...]:
        """Return the route as `of` does, with one relay for each source; none without a route."""
        if not self._known:
            return ()
        keys = (
            ("named", named),
            ("destination", destination),
            ("" if sender else "bounces", ""),
            ("forwards" if via else "", ""),
            ("account", str(flow)),
            ("sender", sender.rpartition("@")[2].lower()),
            ("all", ""),
        )
        return next((self._known[key] for key in keys if key in self._known), ())


def _words(kind: str, value: str) -> str:
    """Return which route it is, for people."""
    return f"route {kind} {value}".rstrip()


def _relays(words: str, facts: Mapping[str, Any]) -> tuple[Relay, ...]:
    """Return a row as one relay, or as one for each source of its pool."""
    one = Relay(**{name: value for name, value in facts.items() if name != "pool"}, route=words)
    return tuple(_with_source(one, *each.split(" ")) for each in facts["pool"]) or (one,)


def _with_source(relay: Relay, helo: str, source: str, second: str | None = None) -> Relay:
    return replace(relay, helo=helo, source_address=source, second_source=second)
