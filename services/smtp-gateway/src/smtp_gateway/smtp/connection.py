"""One client's connection: what is known of the client, the replies to it, and the end of the connection."""

import asyncio
import base64

from auth_api.wire import LoginAnswer
from mailkit.mail.reply import Reply
from mailkit.net.listener import Peer
from mailkit.net.tls_versions import negotiated
from mailkit.process.logs import get_logger
from smtp_gateway import metrics, replies
from smtp_gateway.smtp.context import Context
from smtp_gateway.smtp.protocol import SmtpProtocol
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.transaction import Transaction

log = get_logger()

#: Longest part of a command's argument in a log line (characters).
MOST_LOGGED = 320


class Connection(SmtpProtocol):
    """The connection of one client, without the SMTP verbs."""

    def __init__(self, peer: Peer, context: Context) -> None:
        super().__init__(context.settings.helo_name, context.settings.smtp_command_seconds)
        self.peer = peer
        self.context = context
        self.tls = peer.implicit_tls
        self.login: LoginAnswer | None = None
        self.failed_logins = 0
        self.helo = ""
        self.extended = False
        self.transaction = Transaction()
        self.conduct = context.limits.conduct(peer.address)
        self._busy = False
        self._gauge = metrics.SESSIONS.labels(peer.listener)

    # -- beginning and end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sessions = self.context.sessions
        sessions.open.add(self)
        self._gauge.inc()
        if sessions.draining:
            self.drain()

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.context.sessions.open:
            self.context.sessions.open.discard(self)
            self._gauge.dec()
        super().connection_lost(error)

    def end(self, reply: Reply) -> None:
        """Send a last reply and close the connection."""
        if self.transport is not None:
            self.closing = True
            self.transport.write(reply.render())
            self.transport.close()

    def timed_out(self) -> None:
        self.end(replies.TIMEOUT)

    def drain(self) -> None:
        """Send 421 and close, unless a transaction is under way."""
        if not self._busy and self.transaction.mail_from is None:
            self.end(replies.SHUTTING_DOWN)

    def drain_if_due(self) -> None:
        """End the connection during a drain; called whenever a transaction may have ended."""
        if self.context.sessions.draining:
            self.drain()

    def revoke(self) -> None:
        """End the session because the account was disabled or its password changed (decision 15)."""
        self.login = None
        self.end(replies.ACCOUNT_CHANGED)

    def end_silence(self, before: float) -> None:
        """End the connection if its client has been silent since `before` (event loop time), to free it for other clients."""
        if self.waiting_since is not None and self.waiting_since <= before and self.transport is not None:
            metrics.ENDED.labels("crowded").inc()
            self.end(replies.TIMEOUT)

    def abort(self) -> None:
        """Close the connection at once, at the end of a drain."""
        if self.transport is not None:
            self.transport.abort()

    # -- replies

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
                mail_from=self.transaction.mail_from, account=self.login and self.login.address, reply=str(reply),
            )  # fmt: skip
        if reply.code >= 500 or junk:
            seconds = self.conduct.error() if reply.code >= 500 else self.conduct.junk()
            if seconds:
                metrics.SLOWED.inc()
                await self.context.sleep(seconds)
        self.writer.write(reply.render())
        if self.conduct.over and not self.closing:
            metrics.ENDED.labels("errors").inc()
            self.closing = True
            self.writer.write(replies.TOO_MANY_ERRORS.render())
        if self.closing and self.transport is not None:
            self.transport.close()
        else:
            await self.writer.drain()

    async def challenge(self, text: bytes) -> bytes:
        """Send a 334 (RFC 4954 4) and return the client's line. Raises ConnectionResetError if it left."""
        self.writer.write(b"334 " + base64.b64encode(text) + b"\r\n")
        await self.writer.drain()
        try:
            return await self.read_line()
        except Exception as error:
            raise ConnectionResetError("the client left during AUTH") from error

    async def read_message(self, receiving: Receiving) -> None:
        """Send 354 and read the message up to the final dot."""
        self._busy = True
        self.writer.write(replies.START_DATA.render())
        await self.receive(receiving, self.context.settings.smtp_data_seconds)

    def cipher(self) -> str:
        """Return the negotiated TLS version and cipher; "" without TLS, or if they are unknown."""
        if not self.tls or self.transport is None:
            return ""
        info = self.transport.get_extra_info("cipher")
        return f"{negotiated(self.transport)} with cipher {info[0]}" if info else ""
