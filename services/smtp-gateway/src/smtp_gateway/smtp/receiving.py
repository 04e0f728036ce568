"""The receipt of one message after DATA (RFC 5321 4.1.1.4): in whole chunks, bounded, ended only by CRLF "." CRLF."""

import asyncio

from mailkit.mail.reply import Reply
from mailkit.net.pieces import Pieces
from smtp_gateway import replies
from smtp_gateway.smtp.budget import Promise

END = b"\r\n.\r\n"
#: Room is kept for announced octets for so many seconds, and again for as long if so many octets arrived meanwhile (64 KB a
#: second): of a client that is slower only what has arrived is counted.
PROMISE_SECONDS = 30.0
PROMISE_OCTETS = 2 * 1024 * 1024


class DataReader:
    """Collects the octets of one message; `done` is True after the final dot.

    A message over `limit` octets is read to its end and discarded, so that client and server stay synchronised.
    """

    def __init__(self, limit: int) -> None:
        self._most = limit
        self._pieces = Pieces()
        self._tail = b"\r\n"  # as if a line ended before the first one: a message may be just the final dot
        self.size = 0
        self.done = False
        self.discarding = False

    def feed(self, data: bytes) -> bytes:
        """Process `data`; return what follows the final dot (pipelined commands)."""
        probe = self._tail + data
        at = probe.find(END)
        if at < 0:
            self._take(data)
            self._tail = probe[-4:]
            return b""
        end = at + len(END) - len(self._tail)
        self._take(data[:end])
        self.done = True
        return data[end:]

    def _take(self, data: bytes) -> None:
        self.size += len(data)
        # the size includes dots doubled by the client, so the bound is generous; `body` checks the exact size
        if self.discarding or self.size > self._most * 2 + 1024:
            self.discard()
        else:
            self._pieces.append(data)

    def discard(self) -> None:
        """Drop what was collected and ignore the rest of the message."""
        self.discarding = True
        self._pieces.clear()

    @property
    def held(self) -> int:
        """Octets in memory."""
        return 0 if self.discarding else self.size

    def body(self) -> bytes | None:
        """Return the message without the final dot and dot-stuffing (RFC 5321 4.5.2); None if it was too large."""
        if self.discarding:
            return None
        raw = self._pieces.join()
        self._pieces.clear()  # first: at most two copies at a time
        raw = raw[:-3]
        if raw[:1] == b".":
            raw = raw[1:]
        if b"\r\n." in raw:
            raw = raw.replace(b"\r\n.", b"\r\n")
        return raw if len(raw) <= self._most else None


class Receiving:
    """One message being received, counted towards the process's limit on bodies in memory (decision 3).

    `room`: what is kept for it. `done` is set at the final dot and cancelled if the client disconnects before it. The caller must
    call `give_back` at the end.
    """

    def __init__(self, limit: int, room: Promise) -> None:
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = loop.create_future()
        self._data = DataReader(limit)
        self._room = room
        self._kept = loop.call_later(PROMISE_SECONDS, self._keep, PROMISE_OCTETS)
        self._counted = 0
        self._no_room = False

    def feed(self, data: bytes) -> bytes:
        """Process the octets that arrived; return those after the final dot."""
        before = self._data.held
        rest = self._data.feed(data)
        grown = self._data.held - before
        if grown > 0 and not self._room.take(grown):
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

    def _keep(self, expected: int) -> None:
        """Keep the rest of the room if `expected` octets have arrived, else give it up."""
        if self._data.size < expected:
            self._room.end()
        else:
            loop = asyncio.get_running_loop()
            self._kept = loop.call_later(PROMISE_SECONDS, self._keep, self._data.size + PROMISE_OCTETS)

    def result(self) -> bytes | Reply:
        """Return the message, or the reply that refuses it."""
        if self._data.discarding and self._no_room:
            return replies.NO_ROOM
        body = self._data.body()
        return replies.TOO_BIG if body is None else body

    def give_back(self) -> None:
        """Release the counted octets and what is kept; a second call does nothing."""
        self._kept.cancel()
        self._room.end()
        self._room.give_back(self._counted)
        self._counted = 0

    def drop(self) -> None:
        """Release the octets and cancel `done`, after the client has disconnected."""
        self.give_back()
        if not self.done.done():
            self.done.cancel()
