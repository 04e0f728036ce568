"""One SMTP session: read a command, run its verb, reply; what is known of the client; and every end of the connection."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from auth_api.wire import LoginAnswer
from mailkit.errors import is_final
from mailkit.mail.reply import Reply
from mailkit.net.listener import Peer
from mailkit.net.tls_versions import negotiated
from mailkit.process.report import report
from queue_worker_api.wire import Origin
from smtp_gateway import metrics, replies
from smtp_gateway.policy.consulted import Note, unrecorded
from smtp_gateway.smtp.chunks import Chunks
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.smtp.protocol import SmtpProtocol
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.transaction import Transaction

#: Longest command line without its ending (octets).
LONGEST_COMMAND = 4096
#: Verbs whose argument is the client's name, which need not be valid UTF-8.
_NAMING = frozenset(("EHLO", "HELO"))

Verb = Callable[["SmtpSession", str], Awaitable[None]]
"""The function of a verb; it gets the session and the argument, "" if there is none, and replies."""


class SmtpSession(SmtpProtocol):
    """The session of one client. `verbs`: every verb by its name in capitals. `busy`: a transaction must not be interrupted."""

    def __init__(self, peer: Peer, context: SmtpContext, verbs: Mapping[str, Verb]) -> None:
        super().__init__(context.settings.helo_name, context.settings.smtp_command_seconds)
        self.peer = peer
        self.context = context
        self._verbs = verbs
        self.tls = peer.implicit_tls
        self.login: LoginAnswer | None = None
        self.failed_logins = 0
        self.helo = ""
        self.extended = False
        self.transaction = Transaction()
        self.chunks: Chunks | None = None
        self.consulted: Note = unrecorded
        self.conduct = context.limits.conduct(peer.address)
        self.busy = False
        self._gauge = metrics.SESSIONS.labels(peer.listener)

    # -- begin and end

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
        self.forget_transaction()
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
        if not self.busy and self.transaction.mail_from is None:
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

    # -- commands

    async def converse(self) -> None:
        """Greet the client and answer its commands until the connection ends."""
        await self.say(Reply(220, "", f"{self.hostname} ESMTP Postrider"))
        while self.transport is not None and not self.closing:
            await self._answer()

    async def _answer(self) -> None:
        """Read one command and run it. Raises ConnectionResetError, EOFError."""
        try:
            line = await self._read_command()
            if line is None:
                await self.say(replies.TOO_LONG_COMMAND, "line")
            else:
                await self._carry_out(line)
        except (ConnectionResetError, EOFError):
            raise
        except Exception as error:
            await self._failed(error)

    async def _read_command(self) -> bytes | None:
        """Return the next line without its ending; None, after reading it to its end, if it is too long."""
        whole = True
        while True:
            try:
                line = await self.read_line()
            except asyncio.LimitOverrunError as error:
                await self.reader.readexactly(error.consumed)
                whole = False
                continue
            line = line.rstrip(b"\r\n")
            return line if whole and len(line) <= LONGEST_COMMAND else None

    async def _carry_out(self, line: bytes) -> None:
        name, _, rest = line.partition(b" ")
        if not name.isascii() or not name:
            return await self.say(replies.BAD_SYNTAX, "line")
        verb = name.decode("ascii").upper()
        run = self._verbs.get(verb)
        if run is None:
            return await self.say(replies.UNKNOWN_COMMAND, "unknown")
        rest = rest.strip()
        try:
            argument = rest.decode("utf-8")
        except UnicodeDecodeError:
            if verb not in _NAMING or self.context.settings.smtp_strict:
                return await self.say(replies.NOT_UTF8, verb)
            argument = rest.decode("utf-8", "replace")
        self.reset_timer()
        await run(self, argument)
        return None

    async def _failed(self, error: Exception) -> None:
        """Answer an internal error. The reply discloses only whether a retry can help: 451 if so, 554 if not."""
        report(error, "a command")
        if is_final(error):
            return await self.say(replies.CANNOT, "any")
        metrics.REFUSED.labels("any", "451").inc()
        metrics.REJECTED.labels("away").inc()
        self._note(replies.TRY_LATER, "any", "", self.transaction)
        self.writer.write(replies.TRY_LATER.render())
        await self.writer.drain()
        return None

    # -- used by verbs

    def greeted(self, name: str, *, extended: bool) -> None:
        """Keep the client's name of EHLO (`extended`) or HELO; both end a transaction (RFC 5321 4.1.4)."""
        self.forget_transaction()
        self.helo, self.extended = name, extended

    def forget_transaction(self) -> None:
        """Begin a new transaction; what chunks (RFC 3030) of the present one hold is released."""
        self.transaction = Transaction()
        if self.chunks is not None:
            self.chunks.drop()
            self.chunks = None

    async def say(
        self, reply: Reply, command: str = "", *, about: str = "", of: Transaction | None = None, junk: bool = False
    ) -> None:
        """Send one reply.

        Replies 5xx and useless commands (`junk`) are counted: above a limit their replies are delayed, and too many end the
        connection. Replies 4xx and 5xx are logged, with `about`, the command's argument, and the transaction `of` which they
        are, by default the present one.
        """
        if reply.code >= 400:
            metrics.REFUSED.labels(command, str(reply.code)).inc()
            metrics.REJECTED.labels(replies.reason(reply)).inc()
            self._note(reply, command, about, self.transaction if of is None else of)
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

    def _note(self, refusal: Reply, command: str, argument: str, of: Transaction) -> None:
        account = of.relay.mailbox_id if of.relay else self.login.mailbox_id if self.login else None
        self.context.journal.refused(self.peer.address, self.origin(of), account, of, command, argument, refusal)

    async def challenge(self, text: bytes) -> bytes:
        """Send a 334 (RFC 4954 4) with `text`, in base64, and return the client's line. Raises ConnectionResetError if it left."""
        self.writer.write(b"334 " + text + b"\r\n")
        await self.writer.drain()
        try:
            return await self.read_line()
        except Exception as error:
            raise ConnectionResetError("the client left during AUTH") from error

    async def read_message(self, receiving: Receiving) -> None:
        """Send 354 and read the message up to the final dot."""
        self.busy = True
        self.writer.write(replies.START_DATA.render())
        await self.receive(receiving, self.context.settings.smtp_data_seconds)

    def origin(self, transaction: Transaction) -> Origin:
        """Return what the journal and the queue note of the client: listener, TLS, name, and its right to relay."""
        right = transaction.relay
        if right is not None:
            return Origin(self.peer.listener, self.cipher(), self.helo, right.how, right.address, right.granted_at)
        if self.login is not None:
            return Origin(self.peer.listener, self.cipher(), self.helo, "auth", self.login.address or "")
        return Origin(self.peer.listener, self.cipher(), self.helo)

    async def read_chunk(self, chunks: Chunks, size: int) -> None:
        """Read a chunk of `size` octets."""
        chunks.begin(size)
        if size:
            await self.receive(chunks, self.context.settings.smtp_data_seconds)

    def cipher(self) -> str:
        """Return the negotiated TLS version and cipher; "" without TLS, or if they are unknown."""
        if not self.tls or self.transport is None:
            return ""
        info = self.transport.get_extra_info("cipher")
        return f"{negotiated(self.transport)} with cipher {info[0]}" if info else ""
