"""One message on its way in: its octets, counted against what the process may hold in all (decision 3)."""

import asyncio
from typing import TYPE_CHECKING

from mailkit.reply import Reply
from smtp_gateway import replies
from smtp_gateway.data import DataReader

if TYPE_CHECKING:
    from smtp_gateway.context import BodyBudget


class Receiving:
    """`done` is set with the final dot and cancelled when the client goes before it. Whoever reads gives back at the end."""

    def __init__(self, limit: int, bodies: "BodyBudget") -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = DataReader(limit)
        self._bodies = bodies
        self._counted = 0
        self._no_room = False

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; what came behind the final dot is given back."""
        before = self._reader.held
        rest = self._reader.feed(data)
        grown = self._reader.held - before
        if grown > 0 and not self._bodies.take(grown):
            self._reader.discard()
            self._no_room = True
            self.give_back()
        elif grown < 0:
            self.give_back()
        else:
            self._counted += grown
        if self._reader.done and not self.done.done():
            self.done.set_result(None)
        return rest

    def result(self) -> bytes | Reply:
        """The message, or why there is none."""
        if self._reader.discarding and self._no_room:
            return replies.NO_ROOM
        body = self._reader.body()
        return replies.TOO_BIG if body is None else body

    def give_back(self) -> None:
        """The octets are not ours any more; also twice."""
        self._bodies.give_back(self._counted)
        self._counted = 0

    def drop(self) -> None:
        """The client is gone."""
        self.give_back()
        if not self.done.done():
            self.done.cancel()
