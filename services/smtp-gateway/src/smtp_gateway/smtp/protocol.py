"""The octets of one connection: lines, message data in bulk, timers, TLS. It is aiosmtpd's protocol as the gateway needs it.

All that the gateway uses of aiosmtpd beyond its documented interface is in this file, and so is what it uses of asyncio's
streams beneath (decision 0018). `tests/test_gateway_aiosmtpd.py` fails if a new version changes any of it. aiosmtpd's command
loop, verbs, replies and envelope are not used: each is replaced above this file.
"""

import asyncio
import ssl
import time
from functools import lru_cache
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP

from mailkit.net.foreign import foreign

#: Longest line that is read as a whole (octets); a longer one is read in pieces.
LINE_LIMIT = 8192
#: Least time between two resets of the idle timer by message data (seconds).
_RESET_SECONDS = 1.0


class Receiver(Protocol):
    """What reads message data: `feed` returns the octets behind its end, at which `done` is set; `drop` ends it early."""

    done: asyncio.Future[None]

    def feed(self, data: bytes) -> bytes: ...

    def drop(self) -> None: ...


class _NoHooks:
    """The handler that aiosmtpd requires; without hooks, since none of its verbs is used."""


_HOOKS = _NoHooks()


@lru_cache(4)
def _attributes(hostname: str, timeout: float, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """Return what aiosmtpd's constructor sets, which is the same for each connection and half of what a new one costs."""
    made = SMTP(_HOOKS, hostname=hostname, timeout=timeout, loop=loop)
    plain = asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), lambda *_: None, loop)
    return {name: value for name, value in vars(made).items() if name not in vars(plain)}


class SmtpProtocol(SMTP):
    """A connection that reads and writes. `hostname`: our name, "" for the machine's. `timeout`: longest silence (seconds).

    A subclass defines `converse` and `timed_out`.
    """

    transport: Any
    _reader: Any
    _writer: Any
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __init__(self, hostname: str, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(LINE_LIMIT, loop)
        asyncio.StreamReaderProtocol.__init__(self, reader, self._cb_client_connected, loop)
        vars(self).update(_attributes(hostname, timeout, loop))
        self.closing = False
        self.waiting_since: float | None = None
        """Start of the client's silence (event loop time); None while no input is awaited."""
        self._began = False
        self._receiving: Receiver | None = None
        self._data_timer: asyncio.TimerHandle | None = None
        self._reset_at = 0.0

    async def converse(self) -> None:
        """Run the conversation to its end. Raises ConnectionResetError, EOFError."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """End the connection: the client was silent for too long, or took too long for its message."""
        raise NotImplementedError

    # -- called by asyncio and aiosmtpd

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.reader, self.writer = self._reader, self._writer
        self.envelope = None  # aiosmtpd's, never used

    def data_received(self, data: bytes) -> None:
        if not self._began:
            if foreign(data):
                self.closing = True
                self.transport.abort()
                return
            self._began = True
        if self._receiving is None:
            super().data_received(data)
        else:
            self._feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._receiving is not None:
            self._receiving.drop()
            self._receiving = None
        if self._data_timer is not None:
            self._data_timer.cancel()
        if self.transport is not None:
            super().connection_lost(error)

    async def _handle_client(self) -> None:
        """Run the conversation and close our side.

        aiosmtpd cancels this task when the client closes its side, which would leave the socket open.
        """
        try:
            await self.converse()
        except (ConnectionResetError, EOFError):
            pass
        finally:
            self.writer.close()

    def _timeout_cb(self) -> None:
        if self.transport is not None:
            self.timed_out()

    # -- called by the subclasses

    def reset_timer(self) -> None:
        """Begin the client's silence anew."""
        self._reset_timeout()

    async def read_line(self) -> bytes:
        """Read the client's next line. Raises LimitOverrunError, IncompleteReadError."""
        self.waiting_since = self.loop.time()
        try:
            return await self.reader.readuntil()
        finally:
            self.waiting_since = None

    async def receive(self, receiving: Receiver, seconds: float) -> None:
        """Read message data up to its end, for at most `seconds`; octets that follow it are the next commands."""
        self._receiving = receiving
        self._data_timer = self.loop.call_later(seconds, self._timeout_cb)
        buffered = self._reader._buffer
        if buffered:  # sent before the 354 by a pipelining client
            early = bytes(buffered)
            buffered.clear()
            self._reader._maybe_resume_transport()
            self._feed(early)
        self.waiting_since = self.loop.time()
        try:
            await receiving.done
        finally:
            self.waiting_since = None
        self._data_timer.cancel()
        self._data_timer = None
        self._reset_timeout()

    def _feed(self, data: bytes) -> None:
        receiving = self._receiving
        assert receiving is not None
        rest = receiving.feed(data)
        now = time.monotonic()
        if now - self._reset_at > _RESET_SECONDS:
            self._reset_at = now
            self._reset_timeout()
            if self.waiting_since is not None:
                self.waiting_since = self.loop.time()
        if receiving.done.done():
            self._receiving = None
            if rest:
                super().data_received(rest)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Start TLS and discard the input before the handshake (RFC 3207 4.2, decision 10). Raises ConnectionResetError."""
        plain = self.transport
        plain.pause_reading()
        self._reader._buffer.clear()
        try:
            secure = await self.loop.start_tls(plain, self, context, server_side=True, ssl_handshake_timeout=30)
        except (OSError, EOFError) as error:
            raise ConnectionResetError("TLS handshake failed") from error
        if secure is None or self.transport is None:
            raise ConnectionResetError("the client left during the TLS handshake")
        self._reader._buffer.clear()
        self._reader._transport = self._writer._transport = self.transport = secure
