"""The verbs that identify the client: EHLO, HELO, STARTTLS and AUTH."""

from mailkit.mail.reply import Reply
from mailkit.net.tls_versions import negotiated, warn_of_old
from smtp_gateway import metrics, replies
from smtp_gateway.smtp.authenticate import authenticate, may_log_in
from smtp_gateway.smtp.commands import Commands
from smtp_gateway.smtp.paths import client_name
from smtp_gateway.transaction import Transaction


class Greeting(Commands):
    """The verbs that precede a transaction."""

    async def smtp_EHLO(self, argument: str | None) -> None:
        name = client_name(argument or "", strict=self.context.settings.smtp_strict)
        if name is None:
            return await self.say(replies.HELO_SYNTAX, "EHLO")
        self.transaction = Transaction()
        self.helo, self.extended = name, True
        lines = [self.hostname, "PIPELINING", f"SIZE {self.context.settings.max_message_bytes}", "8BITMIME", "SMTPUTF8",
                 "ENHANCEDSTATUSCODES"]  # fmt: skip
        if not self.tls and self.context.tls is not None:
            lines.append("STARTTLS")
        if may_log_in(self) and self.login is None:
            lines.append("AUTH PLAIN LOGIN")
        await self.say(Reply(250, "", "\n".join(lines)), junk=True)
        return self.drain_if_due()

    async def smtp_HELO(self, argument: str | None) -> None:
        name = client_name(argument or "", strict=self.context.settings.smtp_strict)
        if name is None:
            return await self.say(replies.HELO_SYNTAX, "HELO")
        self.transaction = Transaction()
        self.helo, self.extended = name, False
        await self.say(Reply(250, "", self.hostname), junk=True)
        return self.drain_if_due()

    async def smtp_STARTTLS(self, argument: str | None) -> None:
        """Start TLS (RFC 3207); forget what is known of the client."""
        if argument:
            return await self.say(replies.NO_ARGUMENT, "STARTTLS")
        if self.tls or self.context.tls is None:
            return await self.say(replies.ALREADY_TLS if self.tls else replies.NO_TLS_HERE, "STARTTLS")
        self.writer.write(replies.START_TLS.render())
        await self.start_tls(self.context.tls(self.peer.listener))
        self.tls = True
        warn_of_old(negotiated(self.transport), self.peer.listener, self.peer.address)
        self.helo, self.extended, self.login = "", False, None
        self.transaction = Transaction()
        self.reset_timer()
        return self.drain_if_due()

    async def smtp_AUTH(self, argument: str | None) -> None:
        with metrics.AUTH_SECONDS.time():
            reply = await authenticate(self, argument or "")
        await self.say(reply, "AUTH")
