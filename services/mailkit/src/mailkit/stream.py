"""A client's connection for POP3 and IMAP: bounded lines and literals in, coalesced writes out, STARTTLS, deadlines.

An `asyncio.Protocol` of its own instead of StreamReader/StreamWriter: half the memory of an idle connection, limits in
the reader, and a STARTTLS that is known to forget what was sent ahead in plain text (decision 10).
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, cast

from mailkit.foreign import foreign
from mailkit.logs import get_logger
from mailkit.report import describe, report
from mailkit.tls_versions import negotiated

log = get_logger()

#: Reading pauses while more than this waits to be read (bytes), unless the reader asked for a larger piece.
HIGH_WATER = 64 * 1024
#: Small writes are joined up to this size (bytes) or to the end of the loop's turn: one packet, one TLS record.
JOINED = 64 * 1024
HANDSHAKE_SECONDS = 30.0
#: How long a closing connection may take to send what is left.
CLOSE_SECONDS = 10.0
#: Lines that came in one piece are handed out for so long (seconds) before others of the process get their turn.
TURN = 0.01
#: The slowest a client may send a literal (bytes per second), beside the idle time.
SLOWEST = 1024


class LineTooLong(Exception):
    """No end of line within the limit. `skip_line` reads up to it, so that the dialogue stays in step."""


class IdleTimeout(Exception):
    """The client was silent, or did not read, for longer than `set_idle` allows."""


Talk = Callable[["Stream"], Coroutine[Any, Any, None]]


class Stream(asyncio.Protocol):
    """One connection. `talk` is the conversation: it runs as a task from the connection's start, and the connection
    is closed when it returns. One task reads at a time; writing never waits, `drain` does.

    `bare_lf` False: only CRLF ends a line.
    """

    def __init__(self, talk: Talk, *, bare_lf: bool = True) -> None:
        self._talk = talk
        self._ending = b"\n" if bare_lf else b"\r\n"
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._need = 0  # wake the reader when so many bytes are there …
        self._room = 0  # … and go on reading up to here
        self._paused = False
        self._eof = False
        self._lost = False
        self._out: list[bytes | memoryview] = []
        self._out_size = 0
        self._flushing = False
        self._full: asyncio.Future[None] | None = None  # pending while the transport's buffer is above its mark
        self._draining: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._idle = 0.0
        self._deadline = 0.0
        self._turn_ends = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.tls = False
        self.received = 0
        """Bytes read so far."""
        self.sent = 0
        """Bytes written so far."""
        self.task: asyncio.Task[None] | None = None
        self.when_lost: Callable[[], object] | None = None
        """Called once when the connection is lost."""
        self._when_left: Callable[[], object] | None = None

    @property
    def lost(self) -> bool:
        """The connection is gone, in both directions."""
        return self._lost

    # -- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.tls = transport.get_extra_info("ssl_object") is not None
        self.task = self._loop.create_task(self._run())

    def data_received(self, data: bytes) -> None:
        if not self.received and foreign(data):
            return self.abort()
        self.received += len(data)
        self._buffer += data
        size = len(self._buffer)
        if size >= self._need:
            self._wake()
        if size > max(HIGH_WATER, self._room) and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A half-closed plain connection still gets its answers; TLS has no such state."""
        self._eof = True
        self._wake()
        if self._when_left is not None:
            self._when_left()
        return not self.tls

    def connection_lost(self, exc: Exception | None) -> None:
        self._eof = self._lost = True
        self._transport = None
        self._out.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()
        self.resume_writing()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        if self.when_lost is not None:
            self.when_lost()
        if self._when_left is not None:
            self._when_left()

    def pause_writing(self) -> None:
        if self._full is None:
            self._full = self._loop.create_future()

    def resume_writing(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    async def _run(self) -> None:
        try:
            await self._talk(self)
        except (EOFError, OSError, IdleTimeout, ssl.SSLError):
            pass
        except Exception as error:
            report(error, "a session")
        finally:
            self.close()

    @contextmanager
    def while_connected(self) -> Iterator[None]:
        """In here the task is cancelled when the client leaves, or has half-closed the connection. Raises
        ConnectionResetError when it has done so before."""
        task = asyncio.current_task()
        assert task is not None
        if self._eof:
            raise ConnectionResetError("the client is gone")
        left = False

        def cancel() -> None:
            nonlocal left
            if not left:  # the end of input, then of the connection: once
                left = True
                task.cancel()

        self._when_left = cancel
        try:
            yield
        finally:
            self._when_left = None

    # -- reading

    async def readline(self, limit: int) -> bytes:
        """The next line without its ending, at most `limit` bytes.

        Raises LineTooLong (the line stays unread), EOFError when the connection ends before the line does, IdleTimeout.
        """
        if time.monotonic() > self._turn_ends:
            await asyncio.sleep(0)
            self._turn_ends = time.monotonic() + TURN
        start = 0
        deadline = self._by(0)  # for the whole line: one byte now and then does not hold a connection open
        while True:
            end = self._buffer.find(self._ending, start)
            if end >= 0:
                line = end - 1 if self._buffer[end] == 10 and end > 0 and self._buffer[end - 1] == 13 else end
                if line > limit:
                    raise LineTooLong
                found = bytes(self._buffer[:line])
                self._consume(end + len(self._ending))
                return found
            if len(self._buffer) > limit + 1:  # one more: a CR whose LF is still under way
                raise LineTooLong
            start = max(0, len(self._buffer) - 1)
            await self._more(0, limit + 2, deadline)

    async def skip_line(self, most: int = 1024 * 1024) -> None:
        """Throw the rest of the current line away. Raises LineTooLong above `most` bytes, EOFError, IdleTimeout."""
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
        """The next `count` bytes, all in memory: the caller has checked `count`. Raises EOFError, IdleTimeout."""
        deadline = self._by(count)
        while len(self._buffer) < count:
            await self._more(count, count, deadline)
        found = bytes(self._buffer[:count])
        self._consume(count)
        return found

    async def discard(self, count: int) -> None:
        """Read `count` bytes and forget them, whatever their number. Raises EOFError, IdleTimeout."""
        deadline = self._by(count)
        while count > 0:
            if not self._buffer:
                await self._more(0, HIGH_WATER, deadline)
            piece = min(count, len(self._buffer))
            self._consume(piece)
            count -= piece

    def _consume(self, count: int) -> None:
        if count >= len(self._buffer):
            self._buffer = bytearray()  # gives the memory back: most connections are idle most of the time
        else:
            del self._buffer[:count]

    async def _more(self, need: int, room: int, deadline: float) -> None:
        """Wait until something came (`need` bytes in all, or the end of the connection)."""
        if self._eof:
            raise EOFError("the connection has ended")
        self._need, self._room = need, room
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

    # -- deadlines: they run only while we wait for the client

    def set_idle(self, seconds: float) -> None:
        """A read (a whole line) or a drain that takes longer raises IdleTimeout; 0: never."""
        self._idle = seconds

    def _by(self, count: int) -> float:
        """By when `count` bytes have to be read; 0: there is no such time."""
        return self._loop.time() + self._idle + count / SLOWEST if self._idle else 0.0

    def _arm(self, deadline: float) -> None:
        """One timer a connection, moved only when it would ring too late."""
        self._deadline = deadline
        if deadline and (self._timer is None or self._timer_at > deadline):
            self._ring_at(deadline)

    def _ring_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = moment
        self._timer = self._loop.call_at(moment, self._ring)

    def _ring(self) -> None:
        self._timer = None
        waiting = [future for future in (self._waiter, self._draining) if future is not None and not future.done()]
        if not waiting or not self._deadline:
            return None
        if self._loop.time() < self._deadline:
            return self._ring_at(self._deadline)
        for future in waiting:
            future.set_exception(IdleTimeout())

    # -- writing

    def write(self, data: bytes | memoryview) -> None:
        """Send `data` with what else is written in this turn of the loop. Never waits; nothing when the client is gone."""
        if self._lost:
            return
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size >= JOINED:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        out, self._out = self._out, []
        size, self._out_size = self._out_size, 0
        if out and self._transport is not None and not self._transport.is_closing():
            self.sent += size
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    async def drain(self) -> None:
        """Wait while the client reads more slowly than we write. Raises ConnectionResetError when it is gone,
        IdleTimeout (the connection is aborted then) when it does not read at all."""
        if self._full is not None:
            self._flush()
            self._arm(self._by(0))
            self._draining = self._full
            try:
                await asyncio.shield(self._full)
            except IdleTimeout:
                self.abort()
                raise
            finally:
                self._draining = None
        if self._lost:
            raise ConnectionResetError("the client is gone")

    async def send(self, data: bytes) -> None:
        """Write something large in pieces, no faster than the client reads. Errors as `drain`."""
        if len(data) <= JOINED:
            self.write(data)
            return await self.drain()
        view = memoryview(data)
        for start in range(0, len(view), JOINED):
            self.write(view[start : start + JOINED])
            await self.drain()

    # -- TLS and the end

    async def start_tls(self, context: ssl.SSLContext) -> str:
        """Send what was written (the answer to STARTTLS), then switch to TLS. What the client sent ahead in plain
        text is thrown away. Call it right after writing that answer. Returns the TLS version (`TLSv1.3`). Raises OSError
        when the handshake fails."""
        transport = self._transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        transport.pause_reading()
        self._buffer.clear()
        self._flush()
        self._paused = False
        self.tls = True
        try:
            switched = await self._loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except (OSError, EOFError) as error:
            transport.abort()
            raise ConnectionResetError(f"TLS handshake failed: {describe(error)}") from error
        if switched is None or self._lost:  # the client left during the handshake
            raise ConnectionResetError("the client is gone")
        self._transport = switched
        self._buffer.clear()
        return negotiated(switched)

    def close(self) -> None:
        """Send what is left, then close; cut off after CLOSE_SECONDS."""
        self._flush()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(CLOSE_SECONDS, self.abort)
            self._timer_at = 0.0

    async def aclose(self) -> None:
        """`close`, and wait until it is done."""
        self.close()
        if not self._lost:
            if self._ended is None:
                self._ended = self._loop.create_future()
            await asyncio.shield(self._ended)

    def abort(self) -> None:
        """Cut the connection at once; what was not sent is lost."""
        if self._transport is not None:
            self._transport.abort()
