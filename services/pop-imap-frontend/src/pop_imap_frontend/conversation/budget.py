"""Limits of the work in progress for one mailbox, over all its sessions in this process (docs/decisions/0033)."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from mailkit.errors import OverLimit
from pop_imap_frontend import metrics

#: Limit of the requests that wait for one mailbox.
MOST_WAITING = 100


class _Request(NamedTuple):
    """A request that waits, and what its command holds already."""

    amount: int
    held: int
    turn: asyncio.Future[None]


@dataclass(slots=True)
class _Use:
    """The amount a mailbox has taken, and the requests that wait for more, in order."""

    taken: int = 0
    waiting: list[_Request] = field(default_factory=list)


class Budget:
    """A limit per mailbox of one resource (octets, commands).

    A request beyond `limit` waits in order for at most `patience` seconds; other mailboxes are not affected. Commands that
    hold something never wait for each other: when all of them wait for more, the last one gets it, so that the limit is exceeded
    by what one command takes at most.
    """

    def __init__(self, name: str, limit: int, *, patience: float = 30.0) -> None:
        self._limit = limit
        self._patience = patience
        self._uses: dict[UUID, _Use] = {}
        self._waited = metrics.BUDGET_WAITS.labels(name, "waited")
        self._refused = metrics.BUDGET_WAITS.labels(name, "refused")

    async def take(self, mailbox_id: UUID, amount: int = 1, *, held: int = 0) -> int:
        """Take the smaller of `amount` and the limit; return the amount to give back. `held`: what the same command took before.

        Raises OverLimit after `patience` seconds, and at once if MOST_WAITING requests wait already.
        """
        amount = min(amount, self._limit)
        use = self._uses.setdefault(mailbox_id, _Use())
        request = _Request(amount, held, asyncio.get_running_loop().create_future())
        use.waiting.append(request)
        self._serve(mailbox_id, use)
        if request.turn.done():
            return amount
        if len(use.waiting) > MOST_WAITING:
            use.waiting.remove(request)
            self._refused.inc()
            raise OverLimit("this mailbox has too much under way, try again later")
        self._waited.inc()
        try:
            async with asyncio.timeout(self._patience):
                await request.turn
        except BaseException as error:
            if request.turn.done() and not request.turn.cancelled():  # granted just as the wait ended
                self.give_back(mailbox_id, amount)
            else:
                if request in use.waiting:
                    use.waiting.remove(request)
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
        while use.waiting:
            if use.taken + use.waiting[0].amount <= self._limit:
                request = use.waiting.pop(0)
            elif sum(each.held for each in use.waiting) == use.taken:  # all that is taken is held by commands that wait
                request = use.waiting.pop(max(at for at, each in enumerate(use.waiting) if each.held))
            else:
                break
            if not request.turn.done():
                use.taken += request.amount
                request.turn.set_result(None)
        if not use.taken and not use.waiting:
            self._uses.pop(mailbox_id, None)
