"""One SMTP connection: its lifetime, its replies, and the reading of message data.

Built on aiosmtpd's protocol, with its defects corrected: our own replies, TLS through the event loop, timers that message data
resets, errors without internals (decision 0018).
"""

import asyncio
import base64
import time
from typing import Any

from aiosmtpd.smtp import SMTP

from auth_api.wire import LoginAnswer
from mailkit.mail.reply import Reply
from mailkit.net.foreign import foreign
from mailkit.net.listener import Peer
from mailkit.net.tls_versions import negotiated
from mailkit.process.logs import get_logger
from smtp_gateway import metrics, replies
from smtp_gateway.smtp.context import Context
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.transaction import Transaction

log = get_logger()

#: Longest part of a command's argument in a log line (characters).
MOST_LOGGED = 320


class _NoHooks:
    """The handler that aiosmtpd requires; without hooks, since each verb is overridden."""


_HOOKS = _NoHooks()


class Connection(SMTP):
    """The connection of one client, without the SMTP verbs."""

    line_length_limit = 8192
    transport: Any
    session: Any
    envelope: Any
    _reader: Any
    _writer: Any

    def __init__(self, peer: Peer, context: Context) -> None:
        super().__init__(
            _HOOKS, enable_SMTPUTF8=True, hostname=context.settings.helo_name, ident="ESMTP Postrider",
            timeout=context.settings.smtp_command_seconds, loop=asyncio.get_running_loop(),
        )  # fmt: skip
        self.peer = peer
        self.context = context
        self.tls = peer.implicit_tls
        self.login: LoginAnswer | None = None
        self.failed_logins = 0
        self.helo = ""
        self.extended = False
        self.conduct = context.limits.conduct(peer.address)
        self.waiting_since: float | None = None
        """Start of the client's silence (event loop time); None while no input is awaited."""
        self.closing = False
        self._busy = False
        self._receiving: Receiving | None = None
        self._cap: asyncio.TimerHandle | None = None
        self.command_size_limits = {}  # a class attribute upstream, shared by all connections
        self._gauge = metrics.SESSIONS.labels(peer.listener)

    # -- lifetime

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sessions = self.context.sessions
        first = self not in sessions.open
        super().connection_made(transport)
        if first:
            sessions.open.add(self)
            self._gauge.inc()
            if sessions.draining:
                self.drain()

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.context.sessions.open:
            self.context.sessions.open.discard(self)
            self._gauge.dec()
        if self._receiving is not None:
            self._receiving.drop()
            self._receiving = None
        if self._cap is not None:
            self._cap.cancel()
        if self.transport is not None:
            super().connection_lost(error)

    def _timeout_cb(self) -> None:
        if self.transport is not None:
            self.transport.write(replies.TIMEOUT.render())
            self.transport.close()

    def drain(self) -> None:
        """Send 421 and close, unless a transaction is under way; called again after MAIL, DATA and RSET."""
        if (
            not self._busy
            and self._receiving is None
            and self.envelope.mail_from is None
            and self.transport is not None
        ):
            self.closing = True
            self.transport.write(replies.SHUTTING_DOWN.render())
            self.transport.close()

    def revoke(self) -> None:
        """End the session because the account was disabled or its password changed (decision 15)."""
        self.login = None
        if self.transport is not None:
            self.closing = True
            self.transport.write(replies.ACCOUNT_CHANGED.render())
            self.transport.close()

    def _create_envelope(self) -> Any:
        return Transaction()

    def _set_rset_state(self) -> None:
        self.envelope = Transaction()

    async def say(self, reply: Reply, command: str = "", *, about: str = "", junk: bool = False) -> None:
        """Send one reply.

        Replies 5xx and useless commands (`junk`) are counted: above a limit their replies are delayed, and too many end the
        connection. Replies 4xx and 5xx are logged with `about`: the command's argument, or the message's sender.
        """
        if reply.code >= 400:
            metrics.REFUSED.labels(command, str(reply.code)).inc()
            metrics.REJECTED.labels(replies.reason(reply)).inc()
            log.info(
                "rejected", client=self.peer.address, helo=self.helo, command=command, about=about[:MOST_LOGGED],
                mail_from=self.envelope and self.envelope.mail_from, account=self.login and self.login.address, reply=str(reply),
            )  # fmt: skip
        if reply.code >= 500 or junk:
            seconds = self.conduct.error() if reply.code >= 500 else self.conduct.junk()
            if seconds:
                metrics.SLOWED.inc()
                await self.context.sleep(seconds)
        self._writer.write(reply.render())
        if self.conduct.over and not self.closing:
            metrics.ENDED.labels("errors").inc()
            self.closing = True
            self._writer.write(replies.TOO_MANY_ERRORS.render())
        if self.closing and self.transport is not None:
            self.transport.close()
        else:
            await self._writer.drain()

    async def read_line(self) -> bytes:
        """Read the client's next line. Raises LimitOverrunError, IncompleteReadError."""
        self.waiting_since = self.loop.time()
        try:
            return await self._reader.readuntil()  # type: ignore[no-any-return]
        finally:
            self.waiting_since = None

    def end_silence(self, before: float) -> None:
        """End the connection if its client has been silent since `before` (event loop time), to free it for other clients."""
        if self.waiting_since is not None and self.waiting_since <= before and self.transport is not None:
            metrics.ENDED.labels("crowded").inc()
            self.closing = True
            self.transport.write(replies.TIMEOUT.render())
            self.transport.close()

    def abort(self) -> None:
        """Close the connection at once, at the end of a drain."""
        if self.transport is not None:
            self.transport.abort()

    async def challenge(self, text: bytes) -> bytes:
        """Send a 334 (RFC 4954 4) and return the client's line. Raises ConnectionResetError if it left."""
        self._writer.write(b"334 " + base64.b64encode(text) + b"\r\n")
        await self._writer.drain()
        try:
            return await self.read_line()
        except Exception as error:
            raise ConnectionResetError("the client left during AUTH") from error

    def cipher(self) -> str:
        """Return the negotiated TLS version and cipher; "" without TLS, or if they are unknown."""
        if not self.tls or self.transport is None:
            return ""
        info = self.transport.get_extra_info("cipher")
        return f"{negotiated(self.transport)} with cipher {info[0]}" if info else ""

    # -- message data

    async def read_message(self, receiving: Receiving) -> None:
        """Send 354 and read the message up to the final dot."""
        self._busy = True
        self._receiving = receiving
        self._cap = self.loop.call_later(self.context.settings.smtp_data_seconds, self._timeout_cb)
        buffered = self._reader._buffer
        self._writer.write(replies.START_DATA.render())
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
        self._cap.cancel()
        self._cap = None
        self._reset_timeout()

    _reset_at = 0.0
    _began = False

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

    def _feed(self, data: bytes) -> None:
        receiving = self._receiving
        assert receiving is not None
        rest = receiving.feed(data)
        now = time.monotonic()
        if now - self._reset_at > 1:  # data resets the idle timer, at most once a second
            self._reset_at = now
            self._reset_timeout()
            if self.waiting_since is not None:
                self.waiting_since = self.loop.time()
        if receiving.done.done():
            self._receiving = None
            if rest:
                super().data_received(rest)

    def _look_at_drain(self) -> None:
        if self.context.sessions.draining:
            self.drain()
