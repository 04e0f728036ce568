"""The receipt of one message; its octets count towards the process's limit on bodies in memory (decision 3)."""

import asyncio

from mailkit.mail.reply import Reply
from smtp_gateway import replies
from smtp_gateway.budget import BodyBudget
from smtp_gateway.smtp.data import DataReader


class Receiving:
    """One message being received. `done` is set at the final dot and cancelled if the client disconnects before it.

    The caller must call `give_back` at the end.
    """

    def __init__(self, limit: int, bodies: BodyBudget) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._data = DataReader(limit)
        self._bodies = bodies
        self._counted = 0
        self._no_room = False

    def feed(self, data: bytes) -> bytes:
        """Process the octets that arrived; return those after the final dot."""
        before = self._data.held
        rest = self._data.feed(data)
        grown = self._data.held - before
        if grown > 0 and not self._bodies.take(grown):
            self._data.discard()
            self._no_room = True
            self.give_back()
        elif grown < 0:
            self.give_back()
        else:
            self._counted += grown
        if self._data.done and not self.done.done():
            self.done.set_result(None)
        return rest

    def result(self) -> bytes | Reply:
        """Return the message, or the reply that refuses it."""
        if self._data.discarding and self._no_room:
            return replies.NO_ROOM
        body = self._data.body()
        return replies.TOO_BIG if body is None else body

    def give_back(self) -> None:
        """Release the counted octets; a second call does nothing."""
        self._bodies.give_back(self._counted)
        self._counted = 0

    def drop(self) -> None:
        """Release the octets and cancel `done`, after the client has disconnected."""
        self.give_back()
        if not self.done.done():
            self.done.cancel()
