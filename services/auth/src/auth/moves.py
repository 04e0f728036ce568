"""Domains that move in from an old host, in memory (docs/decisions/0126)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from auth.storage.moves import MoveRows
from mailkit.mail.address import BadAddress, Networks, peer_address

#: How long the moves are known before they are read again (seconds): a change is in force within 5 s (docs/contract.md).
KNOWN_SECONDS = 2.0

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Move:
    """A domain's move: who has its mail, and the old host's servers."""

    domain: str
    phase: Literal["old", "new"]
    imap: Endpoint | None
    pop3: Endpoint | None
    networks: Networks

    def is_old_host(self, client: str | None) -> bool:
        """Return whether mail comes from the old host itself: to send it back would be a loop."""
        try:
            return client is not None and peer_address(client) in self.networks
        except BadAddress:
            return False


class Moves:
    """All moves, read again when they are older than KNOWN_SECONDS; at most `storage.moves.MOST`."""

    def __init__(self, rows: MoveRows) -> None:
        self._rows = rows
        self._known: Mapping[str, Move] = {}
        self._until = 0.0

    async def known(self) -> Mapping[str, Move]:
        """Return the moves by domain. Raises Unavailable."""
        now = time.monotonic()
        if self._until < now:
            self._known = {
                row["domain"]: Move(
                    row["domain"],
                    row["phase"],
                    (row["imap_host"], row["imap_port"]) if row["imap_host"] else None,
                    (row["pop3_host"], row["pop3_port"]) if row["pop3_host"] else None,
                    Networks(row["networks"]),
                )
                for row in await self._rows.all()
            }
            self._until = now + KNOWN_SECONDS
        return self._known

    async def at_old_host(self, mailboxes: Sequence[UUID]) -> set[UUID]:
        """Return those of `mailboxes` that a login at the old host made and no switch has taken in. Raises Unavailable."""
        return await self._rows.at_old_host(mailboxes)
