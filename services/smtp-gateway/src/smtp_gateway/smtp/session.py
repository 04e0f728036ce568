"""One SMTP session, a method per verb (RFC 5321): the transaction, from MAIL to the final dot, and the simple verbs."""

import asyncio
import time

from auth_api.wire import RecipientQuestion
from mailkit.mail.header import Header, header_of
from mailkit.mail.reply import Reply
from queue_worker_api.wire import SubmissionRecipient
from smtp_gateway import metrics, replies
from smtp_gateway.policy import content
from smtp_gateway.smtp.greeting import Greeting
from smtp_gateway.smtp.paths import parse_mail, parse_rcpt, size_of
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.trace import from_clause
from smtp_gateway.transaction import Transaction

_BODIES = ("7BIT", "8BITMIME")


class SmtpSession(Greeting):
    """The session of one client, with all verbs."""

    # -- the transaction

    async def smtp_MAIL(self, argument: str | None) -> None:
        self._busy = True
        started = time.perf_counter()
        try:
            reply = await self._mail(argument or "")
            metrics.MAIL_SECONDS.observe(time.perf_counter() - started)
            await self.say(reply, "MAIL", about=argument or "")
        finally:
            self._busy = False
            self.drain_if_due()

    async def _mail(self, argument: str) -> Reply:
        settings = self.context.settings
        if not self.helo:
            return replies.HELO_FIRST
        if self.transaction.mail_from is not None:
            return replies.NESTED_MAIL
        path = parse_mail(argument, strict=settings.smtp_strict)
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
            elif name != "AUTH":  # RFC 4954 5: AUTH= is accepted and ignored
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
        if answer.relay is None and not self.context.limits.may_send(self.peer.address):
            return replies.TOO_MANY_MESSAGES
        transaction.mail_from = path.address.strip()
        transaction.relay = answer.relay
        transaction.sender_local = answer.domain_local and bool(path.address)
        self.transaction = transaction
        return replies.SENDER_OK

    async def smtp_RCPT(self, argument: str | None) -> None:
        started = time.perf_counter()
        reply = await self._rcpt(argument or "")
        metrics.RCPT_SECONDS.observe(time.perf_counter() - started)
        await self.say(reply, "RCPT", about=argument or "")

    async def _rcpt(self, argument: str) -> Reply:
        transaction = self.transaction
        if transaction.mail_from is None:
            return replies.MAIL_FIRST
        path = parse_rcpt(argument, strict=self.context.settings.smtp_strict)
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
        if not transaction.add(path.address, targets, self.context.settings.targets_per_message):
            return replies.TOO_MANY_RECIPIENTS
        return replies.RECIPIENT_OK

    async def smtp_DATA(self, argument: str | None) -> None:
        transaction = self.transaction
        if argument:
            return await self.say(replies.NO_ARGUMENT, "DATA")
        if transaction.mail_from is None:
            return await self.say(replies.MAIL_FIRST, "DATA")
        if not transaction.recipients:
            return await self.say(replies.RCPT_FIRST, "DATA")
        if not self.context.bodies.take(1):
            return await self.say(replies.NO_ROOM, "DATA")
        self.context.bodies.give_back(1)
        receiving = Receiving(self.context.settings.max_message_bytes, self.context.bodies)
        try:  # from the first octet: the client may disconnect before its message is processed
            await self.read_message(receiving)
            started = time.perf_counter()
            self.transaction = Transaction()
            found = receiving.result()
            reply = found if isinstance(found, Reply) else await self._take(transaction, found)
            metrics.DATA_END_SECONDS.observe(time.perf_counter() - started)
        finally:
            receiving.give_back()
            self._busy = False
        await self.say(reply, "DATA", about=transaction.mail_from or "")
        self.drain_if_due()
        return None

    async def _take(self, transaction: Transaction, body: bytes) -> Reply:
        settings = self.context.settings
        body = content.repaired(
            body, nul=settings.smtp_strip_nul, bare_lf=settings.smtp_repair_bare_lf and transaction.relay is not None
        )
        if len(body) > settings.max_message_bytes:  # the repair adds octets
            return replies.TOO_BIG
        returning = {target.loop_address.lower() for target in transaction.targets.values()}
        header = Header(header_of(body, settings.max_header_bytes))
        refusal = content.refusal(body, header, returning)
        if refusal is not None:
            return refusal
        if transaction.sender_local:
            transaction.sender_target = await self._sender_target(transaction)
        # shielded: a message read to its end is handed over even if the client disconnects (decision 2)
        work = asyncio.ensure_future(
            self.context.acceptor.accept(
                transaction,
                body,
                header,
                self._from_clause(),
                self.peer.address,
                complete=transaction.relay is not None,
            )
        )
        reply = await asyncio.shield(work)
        if reply.code == 250:
            self.conduct.accepted()
            metrics.ACCEPTED.labels(self.peer.listener).inc()
            metrics.TRANSACTIONS.labels(transaction.relay.how if transaction.relay else "none").inc()
        return reply

    async def _sender_target(self, transaction: Transaction) -> SubmissionRecipient | None:
        """Return the target of a bounce to a local sender, if any: the queue makes no look-ups later (decision 5)."""
        sender = transaction.mail_from or ""
        targets = await self.context.recipients.targets(RecipientQuestion(sender, "", None, None))
        if not targets:
            return None
        first = next((t for t in targets if t.mailbox_id), targets[0])
        return SubmissionRecipient(first.address, sender, first.mailbox_id, first.quota_limit, first.limit_version)

    def _from_clause(self) -> str:
        return from_clause(
            self.helo, self.peer.address, extended=self.extended, tls=self.tls, cipher=self.cipher(),
            login=self.login is not None,
        )  # fmt: skip

    # -- the simple verbs

    async def smtp_RSET(self, argument: str | None) -> None:
        if argument:
            return await self.say(replies.NO_ARGUMENT, "RSET")
        self.transaction = Transaction()
        await self.say(replies.OK, junk=True)
        self.drain_if_due()
        return None

    async def smtp_NOOP(self, argument: str | None) -> None:
        await self.say(replies.OK, junk=True)

    async def smtp_QUIT(self, argument: str | None) -> None:
        self.closing = True
        await self.say(replies.NO_ARGUMENT if argument else replies.BYE, "QUIT")

    async def smtp_VRFY(self, argument: str | None) -> None:
        await self.say(replies.CANNOT_VRFY if argument else replies.BAD_SYNTAX, "VRFY", junk=True)

    async def smtp_EXPN(self, argument: str | None) -> None:
        await self.say(replies.NOT_IMPLEMENTED, "EXPN")

    async def smtp_HELP(self, argument: str | None) -> None:
        await self.say(replies.HELP, junk=True)
