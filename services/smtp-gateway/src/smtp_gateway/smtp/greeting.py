"""The verbs that identify the client: EHLO, HELO, STARTTLS and AUTH."""

from mailkit.mail.reply import Reply
from mailkit.net.tls_versions import negotiated, warn_of_old
from smtp_gateway import metrics, replies
from smtp_gateway.smtp.authenticate import authenticate, may_log_in
from smtp_gateway.smtp.commands import Commands
from smtp_gateway.smtp.paths import client_name


class Greeting(Commands):
    """The verbs that precede a transaction."""

    async def smtp_EHLO(self, argument: str | None) -> None:
        name = client_name(argument or "", strict=self.context.settings.smtp_strict)
        if name is None:
            return await self.say(replies.HELO_SYNTAX, "EHLO")
        self._set_rset_state()
        self.helo, self.extended = name, True
        self.session.extended_smtp = True
        lines = [self.hostname, "PIPELINING", f"SIZE {self.context.settings.max_message_bytes}", "8BITMIME", "SMTPUTF8",
                 "ENHANCEDSTATUSCODES"]  # fmt: skip
        if not self.tls and self.context.tls is not None:
            lines.append("STARTTLS")
        if may_log_in(self) and self.login is None:
            lines.append("AUTH PLAIN LOGIN")
        await self.say(Reply(250, "", "\n".join(lines)), junk=True)
        return self._look_at_drain()

    async def smtp_HELO(self, argument: str | None) -> None:
        name = client_name(argument or "", strict=self.context.settings.smtp_strict)
        if name is None:
            return await self.say(replies.HELO_SYNTAX, "HELO")
        self._set_rset_state()
        self.helo, self.extended = name, False
        self.session.extended_smtp = False
        await self.say(Reply(250, "", self.hostname), junk=True)
        return self._look_at_drain()

    async def smtp_STARTTLS(self, argument: str | None) -> None:
        """Start TLS (RFC 3207); discard what is known of the client and its input before the handshake (decision 10)."""
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
                plain, self, self.context.tls(self.peer.listener), server_side=True, ssl_handshake_timeout=30
            )
        except (OSError, EOFError) as error:
            raise ConnectionResetError("TLS handshake failed") from error
        if secure is None or self.transport is None:
            raise ConnectionResetError("the client left during the TLS handshake")
        self._reader._buffer.clear()
        self._reader._transport = self._writer._transport = self.transport = secure
        self.tls = True
        warn_of_old(negotiated(secure), self.peer.listener, self.peer.address)
        self.helo, self.extended, self.login = "", False, None
        self._set_rset_state()
        self._reset_timeout()
        return self._look_at_drain()

    async def smtp_AUTH(self, argument: str | None) -> None:
        with metrics.AUTH_SECONDS.time():
            reply = await authenticate(self, argument or "")
        await self.say(reply, "AUTH")
