"""Limits of the work in progress for one mailbox, over all its sessions in this process (docs/decisions/0033)."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from uuid import UUID

from mailkit.errors import OverLimit
from pop_imap_frontend import metrics

#: Limit of the requests that wait for one mailbox.
MOST_WAITING = 100


@dataclass(slots=True)
class _Use:
    """The amount a mailbox has taken, and the requests that wait for more, in order."""

    taken: int = 0
    waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)


class Budget:
    """A limit per mailbox of one resource (octets, commands).

    A request beyond `limit` waits in order for at most `patience` seconds; other mailboxes are not affected.
    """

    def __init__(self, name: str, limit: int, *, patience: float = 30.0) -> None:
        self._limit = limit
        self._patience = patience
        self._uses: dict[UUID, _Use] = {}
        self._waited = metrics.BUDGET_WAITS.labels(name, "waited")
        self._refused = metrics.BUDGET_WAITS.labels(name, "refused")

    async def take(self, mailbox_id: UUID, amount: int = 1) -> int:
        """Take the smaller of `amount` and the limit; return the amount to give back.

        Raises OverLimit after `patience` seconds, and at once if MOST_WAITING requests wait already.
        """
        amount = min(amount, self._limit)
        use = self._uses.setdefault(mailbox_id, _Use())
        if not use.waiting and use.taken + amount <= self._limit:
            use.taken += amount
            return amount
        if len(use.waiting) >= MOST_WAITING:
            self._refused.inc()
            raise OverLimit("this mailbox has too much under way, try again later")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        use.waiting.append((amount, turn))
        self._waited.inc()
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # granted just as the wait ended
                self.give_back(mailbox_id, amount)
            else:
                if (amount, turn) in use.waiting:
                    use.waiting.remove((amount, turn))
                self._serve(mailbox_id, use)
            if isinstance(error, TimeoutError):
                self._refused.inc()
                raise OverLimit("this mailbox has too much under way, try again later") from None
            raise
        return amount

    def give_back(self, mailbox_id: UUID, amount: int = 1) -> None:
        """Give back an amount that `take` returned, and grant the requests that now fit."""
        use = self._uses[mailbox_id]
        use.taken -= amount
        self._serve(mailbox_id, use)

    def _serve(self, mailbox_id: UUID, use: _Use) -> None:
        while use.waiting and use.taken + use.waiting[0][0] <= self._limit:
            amount, turn = use.waiting.popleft()
            if not turn.done():
                use.taken += amount
                turn.set_result(None)
        if not use.taken and not use.waiting:
            self._uses.pop(mailbox_id, None)
