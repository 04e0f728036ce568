"""The receipt of one message by BDAT (RFC 3030 2): chunks of announced sizes, bounded together as one message is after DATA."""

import asyncio
from collections.abc import Callable

from mailkit.mail.reply import Reply
from mailkit.net.pieces import Pieces
from smtp_gateway import replies
from smtp_gateway.smtp.budget import BodyBudget


class Chunks:
    """One message that arrives in chunks, counted towards the process's limit on bodies in memory (decision 3).

    `limit`: octets of the message. `seconds`: the time for all chunks, after which `expired` is called. `done` belongs to the
    chunk that `begin` announced. Octets of a refused message are read and discarded, so that client and server stay
    synchronised. The caller must call `give_back` at the end.
    """

    def __init__(self, limit: int, bodies: BodyBudget, seconds: float, expired: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = loop.create_future()
        self.refusal: Reply | None = None
        self._most = limit
        self._bodies = bodies
        self._timer = loop.call_later(seconds, expired)
        self._pieces = Pieces()
        self._held = 0
        self._left = 0

    def begin(self, size: int) -> None:
        """Begin a chunk of `size` octets."""
        self.done = asyncio.get_running_loop().create_future()
        self._left = size
        if self._held + size > self._most:
            self.refuse(replies.TOO_BIG)
        if not size:
            self.done.set_result(None)

    def feed(self, data: bytes) -> bytes:
        """Process the octets that arrived; return those after the chunk."""
        taken, rest = data[: self._left], data[self._left :]
        self._left -= len(taken)
        if self.refusal is None:
            if self._bodies.take(len(taken)):
                self._held += len(taken)
                self._pieces.append(taken)
            else:
                self.refuse(replies.NO_ROOM)
        if not self._left and not self.done.done():
            self.done.set_result(None)
        return rest

    def refuse(self, reply: Reply) -> None:
        """Refuse the message; the first reply stands for all further chunks."""
        self.refusal = self.refusal or reply
        self._pieces.clear()
        self._bodies.give_back(self._held)
        self._held = 0

    def result(self) -> bytes | Reply:
        """Return the message, whose last line ends with CRLF as it does after DATA, or the reply that refuses it."""
        if self.refusal is not None:
            return self.refusal
        body = self._pieces.join()
        return body if not body or body.endswith(b"\r\n") else body + b"\r\n"

    def give_back(self) -> None:
        """Release the counted octets and stop the time limit; a second call does nothing."""
        self._timer.cancel()
        self._pieces.clear()
        self._bodies.give_back(self._held)
        self._held = 0

    def drop(self) -> None:
        """Release the octets and cancel `done`, after the client has disconnected."""
        self.give_back()
        if not self.done.done():
            self.done.cancel()
