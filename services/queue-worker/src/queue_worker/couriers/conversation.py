"""One SMTP connection to a remote host: commands with their replies in order (RFC 5321), in plain text and in TLS.

Replies are queued as they arrive, so that a pipelined group costs one wake-up; one timer, seldom reset, serves all waits.
"""

import asyncio
import ssl
from collections import deque
from typing import cast

from mailkit.net.keepalive import CLIENT_IDLE_SECONDS, keep_alive
from queue_worker.couriers.models import Relay, Timeouts
from queue_worker.couriers.replies import RemoteReply, ReplyReader
from queue_worker.couriers.targets import HostAddress
from queue_worker.tls.policy import TlsPolicy

#: Octets above which a body is written in pieces of this size, no faster than the host reads.
BLOCK = 256 * 1024


class Lost(Exception):
    """The connection ended or no reply came in time; the message says which."""


class Conversation(asyncio.Protocol):
    """One connection. `opening.open_connection`, then `command`, or `write` and await each `reply`; `quit` or `cut` ends it."""

    def __init__(self, times: Timeouts, target: HostAddress, policy: TlsPolicy | None = None) -> None:
        """Prepare a connection with `target`, by `policy` instead of the target's own."""
        self.target = target
        self.policy = policy or target.policy
        self.host = target.host
        self.relay = target.relay or Relay()
        self.times = times
        self.extensions: dict[str, str] = {}
        """EHLO keywords in capitals, with their parameters."""
        self.tls: str | None = None
        """The TLS version; None for plain text."""
        self.facts = target.facts("without TLS")
        """For the trace: the address, the TLS version and cipher, and whether the host's name was verified (S6)."""
        self.source = ""
        """Our address."""
        self.sent = 0
        """Messages whose final dot was sent on this connection."""
        self.late = False
        """Whether it was cut because no connection or no reply came in time."""
        self.answered = False
        """Whether the host has replied since the connection was last put to use."""
        self.needs_rset = False
        """Whether the last transaction ended without a dot."""
        self.idle_since = 0.0
        self.closing = False
        self.unsolicited: RemoteReply | None = None
        """The reply that ended the connection: an unsolicited one, such as an early refusal, or a 421."""
        self.why = ""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = ReplyReader()
        self._replies: deque[RemoteReply] = deque()
        self._owed = 0
        self._secures = False
        self._deaf = False
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._paused = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # -- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if local := transport.get_extra_info("sockname"):
            self.source = str(local[0])
        if (sock := transport.get_extra_info("socket")) is not None:
            keep_alive(sock, CLIENT_IDLE_SECONDS, 0)
        if (session := transport.get_extra_info("ssl_object")) is not None:
            self._secured(session)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        replies = self._reader.feed(data)
        for reply in replies:
            if reply.code == 421:
                self.closing = True  # RFC 5321 3.8: the host closes, whatever the command was
            if not self._owed:
                # an unsolicited reply would be taken for the reply to the next command, perhaps to a final dot
                self.unsolicited = reply
                return self.end(f"it said {reply.text!r} without being asked")
            self._owed -= 1
            self.answered = True
            self._replies.append(reply)
            if self._secures:
                self._secures = False
                self._deaf = True  # RFC 3207 6: plain text received after the 220 is not trusted
                self._reader.clear()
                if self._transport is not None:
                    self._transport.pause_reading()  # what follows is for the TLS library, which also reports its errors
                break
        if self._reader.error is not None:
            return self.end(str(self._reader.error))
        if replies:
            self._wake()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.end(str(exc) if exc else "the host closed the connection")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._let_write()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _let_write(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def end(self, why: str) -> None:
        """End the conversation: a waiting caller gets Lost, after the replies that came before."""
        self.why = self.why or why
        self.cut()
        self._wake()
        self._let_write()

    def cut(self) -> None:
        """Close the connection without QUIT; the host discards a message without its final dot."""
        self.closing = True
        self.why = self.why or "the connection was cut"
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    @property
    def alive(self) -> bool:
        """Whether the connection is open for writing."""
        return self._transport is not None and not self._transport.is_closing()

    # -- commands and replies

    def write(self, data: bytes, replies: int = 0) -> None:
        """Send `data`, to which the host owes `replies` replies. Raises Lost if nothing was sent."""
        if self._transport is None or self._transport.is_closing():
            raise Lost(self.why or "the connection is closed")
        self._owed += replies
        self._transport.write(data)

    async def reply(self, seconds: float) -> RemoteReply:
        """Return the next reply owed. Raises Lost."""
        while not self._replies:
            if not self.alive:
                raise Lost(self.why or "the connection is closed")
            self._watch(seconds)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._replies.popleft()

    async def command(self, line: str, seconds: float) -> RemoteReply:
        """Send one command and return its reply. Raises Lost."""
        self.write(line.encode() + b"\r\n", 1)
        return await self.reply(seconds)

    async def stream(self, body: bytes) -> None:
        """Write a body of any size, no faster than the host reads. Raises Lost."""
        view = memoryview(body)
        for start in range(0, len(view), BLOCK):
            self.write(bytes(view[start : start + BLOCK]))
            while self._paused and self.alive:
                self._watch(self.times.block)
                self._room = self._loop.create_future()
                try:
                    await self._room
                finally:
                    self._room = None

    def _watch(self, seconds: float) -> None:
        """End the conversation if the present wait exceeds `seconds`. The timer is reset only if it would fire too late."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer_at > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = self._deadline
            self._timer = self._loop.call_later(seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        if self._waiter is None and self._room is None:
            return
        left = self._deadline - self._loop.time()
        if left > 0.001:
            self._timer_at = self._deadline
            self._timer = self._loop.call_later(left, self._late)
        else:
            self.late = True
            self.end("it did not answer in time")

    # -- TLS and end

    def expect(self, replies: int) -> None:
        """Expect `replies` replies that no command asks for: the greeting."""
        self._owed = replies

    def last_in_plain_text(self) -> None:
        """Read nothing after the next reply: it is the answer to STARTTLS, and TLS follows (RFC 3207 6)."""
        self._secures = True

    async def secure(self, context: ssl.SSLContext, name: str | None) -> ssl.SSLObject:
        """Start TLS after the 220 and return its session; `name` is sent as SNI. Raises Lost, OSError, EOFError, TimeoutError, and uvloop's RuntimeError."""
        if self._transport is None or not self.alive:  # it closed the connection right after its 220
            raise Lost(self.why)
        async with asyncio.timeout(self.times.tls + 1):
            secure = await self._loop.start_tls(
                self._transport, self, context, server_hostname=name, ssl_handshake_timeout=self.times.tls
            )
        session = secure.get_extra_info("ssl_object") if secure is not None else None
        if secure is None or session is None:  # uvloop's other results for a connection closed meanwhile
            raise Lost("the host closed the connection")
        self._transport = secure
        self._reader.clear()
        self._deaf = False
        self._secured(session)
        return cast(ssl.SSLObject, session)

    def _secured(self, session: ssl.SSLObject) -> None:
        self.tls = str(session.version())
        cipher = session.cipher()
        name = cipher[0] if cipher else ""
        verified = "verified" if self.policy.authenticates else "not verified"
        self.facts = self.target.facts(f"{self.tls} {name} {verified}")

    async def quit(self) -> None:
        """Send QUIT, wait briefly for the reply, and close the connection."""
        try:
            await self.command("QUIT", self.times.quit)
        except Lost:
            pass
        self.cut()
