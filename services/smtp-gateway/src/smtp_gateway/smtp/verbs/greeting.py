"""EHLO and HELO (RFC 5321 4.1.1.1), and STARTTLS (RFC 3207)."""

from mailkit.mail.reply import Reply
from mailkit.net.tls_versions import negotiated, warn_of_old
from smtp_gateway import replies
from smtp_gateway.smtp.client import Client, may_log_in
from smtp_gateway.smtp.paths import client_name
from smtp_gateway.smtp.session import SmtpSession


async def ehlo(session: SmtpSession, argument: str) -> None:
    name = client_name(argument, strict=session.context.settings.smtp_strict)
    if name is None:
        return await session.say(replies.HELO_SYNTAX, "EHLO")
    session.greeted(name, extended=True)
    await session.say(extensions(session, session.hostname), junk=True)
    return session.drain_if_due()


def extensions(client: Client, hostname: str) -> Reply:
    """Return the reply to EHLO: our name, and what this client is offered."""
    settings = client.context.settings
    lines = [
        hostname,
        "PIPELINING",
        f"SIZE {settings.max_message_bytes}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "DSN",
        f"LIMITS RCPTMAX={settings.recipients_per_message}",  # RFC 9422; transactions of a connection have no limit
    ]
    if client.tls:
        lines.append("REQUIRETLS")
    elif client.context.tls is not None:
        lines.append("STARTTLS")
    if may_log_in(client) and client.login is None:
        lines.append(" ".join(["AUTH", *client.context.logins.mechanisms]))
    return Reply(250, "", "\n".join(lines))


async def helo(session: SmtpSession, argument: str) -> None:
    name = client_name(argument, strict=session.context.settings.smtp_strict)
    if name is None:
        return await session.say(replies.HELO_SYNTAX, "HELO")
    session.greeted(name, extended=False)
    await session.say(Reply(250, "", session.hostname), junk=True)
    return session.drain_if_due()


async def starttls(session: SmtpSession, argument: str) -> None:
    """Start TLS and forget what is known of the client (RFC 3207 4.2, decision 10)."""
    if argument:
        return await session.say(replies.NO_ARGUMENT, "STARTTLS")
    if session.tls or session.context.tls is None:
        return await session.say(replies.ALREADY_TLS if session.tls else replies.NO_TLS_HERE, "STARTTLS")
    session.writer.write(replies.START_TLS.render())
    await session.start_tls(session.context.tls(session.peer.listener))
    session.tls = True
    warn_of_old(negotiated(session.transport), session.peer.listener, session.peer.address)
    session.helo, session.extended, session.login = "", False, None
    session.forget_transaction()
    session.reset_timer()
    return session.drain_if_due()
