"""The reading side of a connection: lines and literals, bounded in octets and time."""

import asyncio
import time

from mailkit.net.compression import Compression
from mailkit.net.deadlines import Deadlines
from mailkit.net.foreign import foreign

#: Reading from the socket pauses while more octets than this are buffered, unless the reader asked for a larger piece.
HIGH_WATER = 64 * 1024
#: Octets that are decompressed at once, before other tasks get their turn.
UNPACKED = 64 * 1024
#: Buffered lines are returned for this time (seconds) before other tasks of the process get their turn.
TURN = 0.01


class LineTooLong(Exception):
    """No end of line within the limit. `skip_line` reads up to the end, so that the dialogue stays synchronised."""


class Reading(Deadlines):
    """The reading side of a connection. One task reads at a time.

    `bare_lf` False: only CRLF ends a line.
    """

    def __init__(self, *, bare_lf: bool) -> None:
        super().__init__()
        self._ending = b"\n" if bare_lf else b"\r\n"
        self._buffer = bytearray()
        self._need = 0  # wake the reader when this many octets are buffered …
        self._room = 0  # … and read from the socket up to this size
        self._paused = False
        self._eof = False
        self._turn_ends = 0.0
        self._compression: Compression | None = None
        self.received = 0
        """Octets received so far, as compressed."""

    def data_received(self, data: bytes) -> None:
        if not self.received and foreign(data):
            return self.abort()
        self.received += len(data)
        if self._compression is None:
            self._buffer += data
        else:
            self._compression.feed(data)
            self._unpack()
        size, pending = len(self._buffer), self._compression is not None and self._compression.pending
        if size >= self._need or pending:
            self._wake()
        if (size > max(HIGH_WATER, self._room) or pending) and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    async def arrival(self) -> None:
        """Wait until there is something to read, or the connection has ended. Raises IdleTimeout."""
        if not self._buffer and not self._eof:
            await self._more(1, 1, self._by(0))

    async def read_some(self) -> bytes:
        """Return what has arrived, at least one octet; b"" at the end of the connection. Raises IdleTimeout."""
        await self.arrival()
        found = bytes(self._buffer)
        self._consume(len(found))
        return found

    async def readline(self, limit: int) -> bytes:
        """Return the next line without its line ending, at most `limit` octets.

        Raises LineTooLong (the line stays unread), EOFError if the connection ends before the line does, IdleTimeout.
        """
        if time.monotonic() > self._turn_ends:
            await asyncio.sleep(0)
            self._turn_ends = time.monotonic() + TURN
        start = 0
        deadline = self._by(0)  # for the whole line: a single octet now and then does not extend it
        while True:
            end = self._buffer.find(self._ending, start)
            if end >= 0:
                line = end - 1 if self._buffer[end] == 10 and end > 0 and self._buffer[end - 1] == 13 else end
                if line > limit:
                    raise LineTooLong
                found = bytes(self._buffer[:line])
                self._consume(end + len(self._ending))
                return found
            if len(self._buffer) > limit + 1:  # one more: a CR whose LF has not arrived yet
                raise LineTooLong
            start = max(0, len(self._buffer) - 1)
            await self._more(0, limit + 2, deadline)

    async def skip_line(self, most: int = 1024 * 1024) -> None:
        """Discard the rest of the current line. Raises LineTooLong above `most` octets, EOFError, IdleTimeout."""
        skipped = 0
        deadline = self._by(0)
        while True:
            end = self._buffer.find(self._ending)
            if end >= 0:
                return self._consume(end + len(self._ending))
            keep = 1 if self._buffer.endswith(b"\r") else 0
            skipped += len(self._buffer) - keep
            self._consume(len(self._buffer) - keep)
            if skipped > most:
                raise LineTooLong
            await self._more(0, HIGH_WATER, deadline)

    async def read_exactly(self, count: int) -> bytes:
        """Return the next `count` octets, all in memory: the caller has checked `count`. Raises EOFError, IdleTimeout."""
        deadline = self._by(count)
        while len(self._buffer) < count:
            await self._more(count, count, deadline)
        found = bytes(self._buffer[:count])
        self._consume(count)
        return found

    async def discard(self, count: int) -> None:
        """Read and discard `count` octets, of any number. Raises EOFError, IdleTimeout."""
        deadline = self._by(count)
        while count > 0:
            if not self._buffer:
                await self._more(0, HIGH_WATER, deadline)
            piece = min(count, len(self._buffer))
            self._consume(piece)
            count -= piece

    def _unpack(self) -> bool:
        """Decompress what fits into the buffer, at most UNPACKED octets; return whether there was any."""
        room = min(UNPACKED, max(HIGH_WATER, self._room) + 1 - len(self._buffer))
        if self._compression is None or room <= 0 or not self._compression.pending:
            return False
        try:
            found = self._compression.unpack(room)
        except ValueError:
            self.abort()
            return False
        self._buffer += found
        return bool(found)

    def _consume(self, count: int) -> None:
        if count >= len(self._buffer):
            self._buffer = bytearray()  # releases the memory: most connections are idle most of the time
        else:
            del self._buffer[:count]

    async def _more(self, need: int, room: int, deadline: float) -> None:
        """Wait until `need` octets are buffered, some were decompressed, or the connection ends.

        Raises EOFError if it has ended before, IdleTimeout.
        """
        self._need, self._room = need, room
        if self._unpack():
            self._need = self._room = 0
            return await asyncio.sleep(0)
        if self._eof:
            raise EOFError("the connection has ended")
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        self._waiter = self._loop.create_future()
        self._arm(deadline)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._need = self._room = 0
            self._turn_ends = time.monotonic() + TURN

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
