"""A client's connection for POP3 and IMAP: bounded lines and literals, coalesced writes, STARTTLS, COMPRESS, deadlines.

An `asyncio.Protocol` of its own instead of StreamReader/StreamWriter: half the memory of an idle connection, limits in
the reader, and a STARTTLS that discards what was sent ahead in plain text (decision 10).
"""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, cast

from mailkit.net.compression import Compression
from mailkit.net.deadlines import IdleTimeout
from mailkit.net.reading import Reading
from mailkit.net.tls_versions import negotiated
from mailkit.process.logs import get_logger
from mailkit.process.report import describe, report

log = get_logger()

#: Small writes are joined up to this size (octets) or until the end of the loop's turn: one packet, one TLS record.
JOINED = 64 * 1024
HANDSHAKE_SECONDS = 30.0
#: Deadline, in seconds, for a closing connection to send what is left.
CLOSE_SECONDS = 10.0


Talk = Callable[["Stream"], Coroutine[Any, Any, None]]


class Stream(Reading):
    """One connection.

    `talk` is the session: it runs as a task from the start of the connection, which is closed when it returns. One task
    reads at a time; writing never waits, `drain` does. `bare_lf` False: only CRLF ends a line.
    """

    def __init__(self, talk: Talk, *, bare_lf: bool = True) -> None:
        super().__init__(bare_lf=bare_lf)
        self._talk = talk
        self._lost = False
        self._out: list[bytes | memoryview] = []
        self._out_size = 0
        self._packed = 0  # octets compressed since other tasks had their turn
        self._flushing = False
        self._full: asyncio.Future[None] | None = None  # pending while the transport's buffer is above its mark
        self._ended: asyncio.Future[None] | None = None
        self.tls = False
        self.sent = 0
        """Octets sent so far, as compressed."""
        self.task: asyncio.Task[None] | None = None
        self.when_lost: Callable[[], object] | None = None
        """Callback, called once when the connection is lost."""
        self._when_left: Callable[[], object] | None = None

    @property
    def lost(self) -> bool:
        """Whether the connection is lost, in both directions."""
        return self._lost

    # -- callbacks of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.tls = transport.get_extra_info("ssl_object") is not None
        self.task = self._loop.create_task(self._run())

    def eof_received(self) -> bool:
        """Keep a half-closed plain connection open for its answers; TLS has no such state."""
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
        """Cancel the current task if the client closes or half-closes the connection within the block.

        Raises ConnectionResetError if it has done so before.
        """
        task = asyncio.current_task()
        assert task is not None
        if self._eof:
            raise ConnectionResetError("the client is gone")
        left = False

        def cancel() -> None:
            nonlocal left
            if not left:  # called at the end of input and at the end of the connection
                left = True
                task.cancel()

        self._when_left = cancel
        try:
            yield
        finally:
            self._when_left = None

    # -- writing

    def write(self, data: bytes | memoryview) -> None:
        """Send `data`, joined with other writes of this turn of the loop. Never waits; no effect once the connection is lost."""
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
            data = out[0] if len(out) == 1 else b"".join(out)
            if self._compression is not None:
                self._packed += size
                data = self._compression.pack(data)
            self.sent += len(data)
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the client reads more slowly than we write.

        Raises ConnectionResetError if the connection is lost, and IdleTimeout if the client does not read in time; the
        connection is aborted then.
        """
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
        if self._packed >= JOINED:
            self._packed = 0
            await asyncio.sleep(0)
        if self._lost:
            raise ConnectionResetError("the client is gone")

    async def send(self, data: bytes) -> None:
        """Write `data` in pieces, no faster than the client reads. Raises the errors of `drain`."""
        if len(data) <= JOINED:
            self.write(data)
            return await self.drain()
        view = memoryview(data)
        for start in range(0, len(view), JOINED):
            self.write(view[start : start + JOINED])
            await self.drain()

    # -- compression, TLS and the end

    @property
    def compressed(self) -> bool:
        return self._compression is not None

    @property
    def sent_ahead(self) -> bool:
        """Whether the client has sent octets that are not read yet."""
        return bool(self._buffer)

    def compress(self) -> None:
        """Compress both directions from here on (RFC 4978). To be called right after writing the answer to COMPRESS."""
        self._flush()
        self._compression = Compression()

    def end_compression(self) -> None:
        """Send and read octets as they are again (RFC 8437 4.1). To be called right after writing the answer that ends it."""
        if self._compression is not None:
            self._flush()
            self._buffer += self._compression.rest()
            self._compression = None

    async def start_tls(self, context: ssl.SSLContext) -> str:
        """Send what was written (the answer to STARTTLS), switch to TLS and return its version (`TLSv1.3`).

        To be called right after writing that answer. Plain text that the client sent ahead is discarded. Raises OSError if
        the handshake fails.
        """
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
        """Send what is left, then close; abort after CLOSE_SECONDS."""
        self._flush()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(CLOSE_SECONDS, self.abort)
            self._timer_at = 0.0

    async def aclose(self) -> None:
        """Close the connection as `close` does, and wait until it is closed."""
        self.close()
        if not self._lost:
            if self._ended is None:
                self._ended = self._loop.create_future()
            await asyncio.shield(self._ended)
