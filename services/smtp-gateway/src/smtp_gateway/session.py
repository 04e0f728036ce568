"""One SMTP connection: a method per verb (RFC 5321). Built on aiosmtpd's protocol, with its defects mended: replies of
our own, bounded data in bulk, TLS through the loop, timers that see data, errors that tell nothing (decision 0003)."""

import asyncio
import re
import time
from collections import defaultdict
from typing import Any

from aiosmtpd.smtp import SMTP

from auth_client.wire import LoginAnswer, RecipientQuestion
from mailkit.errors import PostriderError
from mailkit.lifecycle import describe
from mailkit.listener import Peer
from mailkit.logs import get_logger
from mailkit.reply import Reply
from queue_worker_client.wire import SubmissionRecipient
from smtp_gateway import metrics, replies
from smtp_gateway.authenticate import authenticate
from smtp_gateway.checks import content
from smtp_gateway.context import Context
from smtp_gateway.data import DataReader
from smtp_gateway.paths import parse_mail, parse_rcpt, size_of
from smtp_gateway.transaction import Recipient, Transaction

log = get_logger()

MOST_ERRORS = 20
_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}\Z")
_BODIES = ("7BIT", "8BITMIME")


class _NoHooks:
    """aiosmtpd's hooks are not used: each verb is overridden below."""


_HOOKS = _NoHooks()


class SmtpSession(SMTP):
    """The conversation with one client."""

    line_length_limit = 8192
    transport: Any
    session: Any
    envelope: Any
    _reader: Any
    _writer: Any
    _sink: DataReader | None = None

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
        self.errors = 0
        self.closing = False
        self._busy = False
        self._data_done: asyncio.Future[None] | None = None
        self._cap: asyncio.TimerHandle | None = None
        self.command_size_limits = defaultdict(lambda: 4096)  # a class attribute upstream, shared by all connections
        self.command_size_limit = 4096
        self._gauge = metrics.SESSIONS.labels(peer.listener)
        self._counted = 0

    # -- the life of a connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        first = self not in self.context.sessions
        super().connection_made(transport)
        if first:
            self.context.sessions.add(self)
            self._gauge.inc()
            if self.context.draining:
                self.drain()

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.context.sessions:
            self.context.sessions.discard(self)
            self._gauge.dec()
        if self._sink is not None:
            self._drop_sink()
        if self._data_done is not None and not self._data_done.done():
            self._data_done.cancel()
        if self._cap is not None:
            self._cap.cancel()
        if self.transport is not None:
            super().connection_lost(error)

    def _timeout_cb(self) -> None:
        if self.transport is not None:
            self.transport.write(replies.TIMEOUT.render())
            self.transport.close()

    def drain(self) -> None:
        """The service stops: say so when no transaction is under way; it is looked at again after each command."""
        if not self._busy and self._sink is None and self.envelope.mail_from is None and self.transport is not None:
            self.closing = True
            self.transport.write(replies.SHUTTING_DOWN.render())
            self.transport.close()

    def revoke(self) -> None:
        """The account was disabled or its password changed: the session ends (decision 15)."""
        self.login = None
        if self.transport is not None:
            self.closing = True
            self.transport.write(replies.ACCOUNT_CHANGED.render())
            self.transport.close()

    def _create_envelope(self) -> Any:
        return Transaction()

    def _set_rset_state(self) -> None:
        self.envelope = Transaction()

    async def say(self, reply: Reply, command: str = "") -> None:
        """Send one reply; refusals are counted, and too many end the connection."""
        if reply.code >= 400:
            metrics.REFUSED.labels(command, str(reply.code)).inc()
            metrics.REJECTED.labels(replies.reason(reply)).inc()
            if reply.code >= 500 and reply.code != 550 and reply.code != 552:
                self.errors += 1
        self._writer.write(reply.render())
        if self.errors > MOST_ERRORS and not self.closing:
            self.closing = True
            self._writer.write(replies.TOO_MANY_ERRORS.render())
        if self.closing and self.transport is not None:
            self.transport.close()
        else:
            await self._writer.drain()

    async def push(self, status: Any) -> None:
        """What aiosmtpd itself says: the greeting, and its refusals of lines it cannot read, in our words."""
        text = status if isinstance(status, str) else status.decode()
        if text.startswith("500 Command line"):
            return await self.say(replies.TOO_LONG_COMMAND, "line")
        if text.startswith('500 Error: command "'):
            return await self.say(replies.UNKNOWN_COMMAND, "unknown")
        if text.startswith("500"):
            return await self.say(replies.BAD_SYNTAX, "line")
        if text.startswith("502 5.5.1 Too many"):
            return await self.say(replies.TOO_MANY_ERRORS, "unknown")
        self._writer.write(text.encode() + b"\r\n")
        await self._writer.drain()
        return None

    async def handle_exception(self, error: Exception) -> str:
        """What goes wrong here is our fault and temporary; the client learns nothing of it."""
        if isinstance(error, PostriderError):
            log.warning("neighbour_away", error=describe(error))
        else:
            log.error("bug", error=describe(error), exc_info=error)
        metrics.REFUSED.labels("any", "451").inc()
        metrics.REJECTED.labels("away").inc()
        return str(replies.TRY_LATER)

    # -- greeting

    async def smtp_EHLO(self, argument: str | None) -> None:
        if not argument or not _HELO.match(argument):
            return await self.say(replies.HELO_SYNTAX, "EHLO")
        self._set_rset_state()
        self.helo, self.extended = argument, True
        self.session.extended_smtp = True
        lines = [self.hostname, "PIPELINING", f"SIZE {self.context.settings.max_message_bytes}", "8BITMIME", "SMTPUTF8",
                 "ENHANCEDSTATUSCODES"]  # fmt: skip
        if not self.tls and self.context.tls is not None:
            lines.append("STARTTLS")
        if self.may_log_in() and self.login is None:
            lines.append("AUTH PLAIN LOGIN")
        return await self.say(Reply(250, "", "\n".join(lines)))

    async def smtp_HELO(self, argument: str | None) -> None:
        if not argument or not _HELO.match(argument):
            return await self.say(replies.HELO_SYNTAX, "HELO")
        self._set_rset_state()
        self.helo, self.extended = argument, False
        self.session.extended_smtp = False
        return await self.say(Reply(250, "", self.hostname))

    def may_log_in(self) -> bool:
        return self.tls or self.context.settings.smtp_plaintext_auth

    async def smtp_STARTTLS(self, argument: str | None) -> None:
        """RFC 3207: everything known of the client is forgotten, and what it sent ahead (decision 10)."""
        if argument:
            return await self.say(replies.NO_ARGUMENT, "STARTTLS")
        if self.tls or self.context.tls is None:
            return await self.say(replies.ALREADY_TLS if self.tls else replies.NO_TLS_HERE, "STARTTLS")
        plain = self.transport
        plain.pause_reading()
        self._reader._buffer.clear()
        self._writer.write(replies.START_TLS.render())
        try:
            secure = await self.loop.start_tls(
                plain, self, self.context.tls(), server_side=True, ssl_handshake_timeout=30
            )
        except (OSError, EOFError) as error:
            raise ConnectionResetError("TLS handshake failed") from error
        if secure is None or self.transport is None:
            raise ConnectionResetError("the client left during the TLS handshake")
        self._reader._buffer.clear()
        self._reader._transport = self._writer._transport = self.transport = secure
        self.tls = True
        self.helo, self.extended, self.login = "", False, None
        self._set_rset_state()
        self._reset_timeout()
        return None

    async def smtp_AUTH(self, argument: str | None) -> None:
        with metrics.AUTH_SECONDS.time():
            reply = await authenticate(self, argument or "")
        await self.say(reply, "AUTH")

    # -- the transaction

    async def smtp_MAIL(self, argument: str | None) -> None:
        self._busy = True
        started = time.perf_counter()
        try:
            await self.say(await self._mail(argument or ""), "MAIL")
            metrics.MAIL_SECONDS.observe(time.perf_counter() - started)
        finally:
            self._busy = False
            self._look_at_drain()

    async def _mail(self, argument: str) -> Reply:
        settings = self.context.settings
        if not self.helo:
            return replies.HELO_FIRST
        if self.envelope.mail_from is not None:
            return replies.NESTED_MAIL
        path = parse_mail(argument)
        if path is None:
            return replies.MAIL_SYNTAX
        transaction = Transaction()
        for name, value in path.parameters.items():
            if name == "SIZE":
                size = size_of(value)
                if size is None:
                    return replies.BAD_PARAMETER
                if size > settings.max_message_bytes:
                    return replies.TOO_BIG
                transaction.declared_size = size
            elif name == "BODY":
                if (value or "").upper() not in _BODIES:
                    return replies.BAD_PARAMETER
                transaction.eight_bit = (value or "").upper() == "8BITMIME"
            elif name == "SMTPUTF8" and value is None:
                transaction.smtputf8 = True
            elif name != "AUTH":  # RFC 4954 5: taken, and not believed
                return replies.UNKNOWN_PARAMETER
        if not path.address.isascii() and not transaction.smtputf8:
            return replies.NEEDS_SMTPUTF8
        login = self.login.mailbox_id if self.login else None
        answer = await self.context.senders.answer(path.address, self.peer.address, login)
        if self.peer.listener != "smtp" and answer.relay is None:
            return replies.NEEDS_LOGIN
        refusal = await self.context.senders.refusal(path.address, answer)
        if refusal is not None:
            return refusal
        transaction.mail_from = path.address.strip()
        transaction.relay = answer.relay
        transaction.sender_local = answer.domain_local and bool(path.address)
        self.envelope = transaction
        return replies.SENDER_OK

    async def smtp_RCPT(self, argument: str | None) -> None:
        started = time.perf_counter()
        await self.say(await self._rcpt(argument or ""), "RCPT")
        metrics.RCPT_SECONDS.observe(time.perf_counter() - started)

    async def _rcpt(self, argument: str) -> Reply:
        transaction: Transaction = self.envelope
        if transaction.mail_from is None:
            return replies.MAIL_FIRST
        path = parse_rcpt(argument)
        if path is None or not path.address:
            return replies.RCPT_SYNTAX
        if path.parameters:
            return replies.UNKNOWN_PARAMETER
        if not path.address.isascii() and not transaction.smtputf8:
            return replies.NEEDS_SMTPUTF8
        if len(transaction.recipients) >= self.context.settings.recipients_per_message:
            return replies.TOO_MANY_RECIPIENTS
        question = RecipientQuestion(
            path.address, transaction.mail_from, self.peer.address, self.login.mailbox_id if self.login else None
        )
        refusal, targets = await self.context.recipients.check(question, transaction.declared_size)
        if refusal is not None:
            return refusal
        transaction.recipients.append(Recipient(path.address, targets))
        return replies.RECIPIENT_OK

    async def smtp_DATA(self, argument: str | None) -> None:
        transaction: Transaction = self.envelope
        if argument:
            return await self.say(replies.NO_ARGUMENT, "DATA")
        if transaction.mail_from is None:
            return await self.say(replies.MAIL_FIRST, "DATA")
        if not transaction.recipients:
            return await self.say(replies.RCPT_FIRST, "DATA")
        if not self.context.held.take(1):
            return await self.say(replies.NO_ROOM, "DATA")
        self.context.held.give_back(1)
        try:  # from the first octet on: a client may be gone before its message is looked at
            body, refusal = await self._read()
            started = time.perf_counter()
            self.envelope = Transaction()
            reply = refusal or await self._take(transaction, body)
            metrics.DATA_END_SECONDS.observe(time.perf_counter() - started)
        finally:
            self.context.held.give_back(self._counted)
            self._counted = 0
            self._busy = False
        await self.say(reply, "DATA")
        self._look_at_drain()
        return None

    async def _take(self, transaction: Transaction, body: bytes | None) -> Reply:
        if body is None:
            return replies.TOO_BIG
        local = {
            target.address.lower()
            for recipient in transaction.recipients
            for target in recipient.targets
            if target.mailbox_id
        }
        refusal = content.refusal(body, local)
        if refusal is not None:
            return refusal
        if transaction.sender_local:
            transaction.sender_target = await self._sender_target(transaction)
        # once it is on its way the client's leaving must not stop it: it was read to the end (decision 2)
        work = asyncio.ensure_future(
            self.context.acceptor.accept(
                transaction, body, self._trace(), self.peer.address, complete=transaction.relay is not None
            )
        )
        reply = await asyncio.shield(work)
        if reply.code == 250:
            metrics.ACCEPTED.labels(self.peer.listener).inc()
            metrics.TRANSACTIONS.labels(transaction.relay.how if transaction.relay else "none").inc()
        return reply

    async def _sender_target(self, transaction: Transaction) -> SubmissionRecipient | None:
        """Where a bounce to a sender of ours goes: the queue asks nobody later (decision 5)."""
        sender = transaction.mail_from or ""
        targets = await self.context.recipients.targets(RecipientQuestion(sender, "", None, None))
        if not targets:
            return None
        first = next((t for t in targets if t.mailbox_id), targets[0])
        return SubmissionRecipient(first.address, sender, first.mailbox_id, first.quota_limit, first.limit_version)

    def _trace(self) -> str:
        """Received's from-clause and protocol (RFC 5321 4.4, RFC 3848)."""
        kind = "ESMTP" if self.extended else "SMTP"
        if self.extended:
            kind += ("S" if self.tls else "") + ("A" if self.login else "")
        address = self.peer.address or "unknown"
        literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
        cipher = ""
        if self.tls and self.transport is not None:
            info = self.transport.get_extra_info("cipher")
            cipher = f"\r\n\t(using {info[1]} with cipher {info[0]})" if info else ""
        return f"from {self.helo} ({literal}){cipher} with {kind}"

    # -- data in bulk

    async def _read(self) -> tuple[bytes | None, Reply | None]:
        """Everything up to the final dot: (body, None), (None, None) when too large, (None, refusal)."""
        self._busy = True
        sink = self._sink = DataReader(self.context.settings.max_message_bytes)
        self._data_done = self.loop.create_future()
        self._cap = self.loop.call_later(self.context.settings.smtp_data_seconds, self._timeout_cb)
        buffered = self._reader._buffer
        self._writer.write(replies.START_DATA.render())
        if buffered:  # sent ahead of the 354 by a pipelining client that is sure of itself
            early = bytes(buffered)
            buffered.clear()
            self._reader._maybe_resume_transport()
            self._feed(early)
        await self._data_done
        self._cap.cancel()
        self._cap = None
        self._reset_timeout()
        if sink.discarding and self._no_room:
            self._no_room = False
            return None, replies.NO_ROOM
        return sink.body(), None

    _no_room = False
    _reset_at = 0.0

    def data_received(self, data: bytes) -> None:
        if self._sink is None:
            super().data_received(data)
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        sink = self._sink
        assert sink is not None
        before = sink.held
        rest = sink.feed(data)
        grown = sink.held - before
        if grown > 0 and not self.context.held.take(grown):
            sink.discard()
            self._no_room = True
            grown = -before
        if grown < 0:
            self.context.held.give_back(self._counted)
            self._counted = 0
        elif grown:
            self._counted += grown
        now = time.monotonic()
        if now - self._reset_at > 1:  # the idle timer sees data, but not each chunk
            self._reset_at = now
            self._reset_timeout()
        if sink.done:
            self._sink = None
            if self._data_done is not None and not self._data_done.done():
                self._data_done.set_result(None)
            if rest:
                super().data_received(rest)

    def _drop_sink(self) -> None:
        self._sink = None
        self.context.held.give_back(self._counted)
        self._counted = 0

    def _look_at_drain(self) -> None:
        if self.context.draining:
            self.drain()

    # -- the small verbs

    async def smtp_RSET(self, argument: str | None) -> None:
        if argument:
            return await self.say(replies.NO_ARGUMENT, "RSET")
        self._set_rset_state()
        await self.say(replies.OK)
        self._look_at_drain()
        return None

    async def smtp_NOOP(self, argument: str | None) -> None:
        await self.say(replies.OK)

    async def smtp_QUIT(self, argument: str | None) -> None:
        self.closing = True
        await self.say(replies.NO_ARGUMENT if argument else replies.BYE, "QUIT")

    async def smtp_VRFY(self, argument: str | None) -> None:
        await self.say(replies.CANNOT_VRFY if argument else replies.BAD_SYNTAX, "VRFY")

    async def smtp_EXPN(self, argument: str | None) -> None:
        await self.say(replies.NOT_IMPLEMENTED, "EXPN")

    async def smtp_HELP(self, argument: str | None) -> None:
        await self.say(replies.HELP)
