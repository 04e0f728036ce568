"""SMTP AUTH (RFC 4954), with and without an initial response."""

from auth_api.logins import Given, conclude
from auth_api.wire import LoginAnswer
from mailkit.errors import PostriderError
from mailkit.ids import new_id
from mailkit.mail.reply import Reply
from mailkit.mail.sasl import Cancelled, Exchange, Malformed
from smtp_gateway import metrics, replies
from smtp_gateway.smtp.client import Client, may_log_in
from smtp_gateway.smtp.session import SmtpSession

MOST_FAILURES = 5

_OUTCOMES = {
    "ok": replies.LOGGED_IN,
    "refused": replies.LOGIN_REFUSED,
    "throttled": replies.LOGIN_THROTTLED,
    "too_soon": replies.LOGIN_LATER,
    "busy": replies.LOGIN_LATER,
}


async def auth(session: SmtpSession, argument: str) -> None:
    with metrics.AUTH_SECONDS.time():
        reply = await _auth(session, argument)
    await session.say(reply, "AUTH")


async def _auth(session: SmtpSession, argument: str) -> Reply:
    """Run AUTH and return the reply. A successful login is kept in the session, for this connection only (S3)."""
    if (misplaced := refusal(session)) is not None:
        return misplaced
    name, _, initial = argument.partition(" ")
    mechanism = session.context.logins.mechanisms.get(name.upper())
    if mechanism is None:
        return replies.UNKNOWN_MECHANISM
    exchange = Exchange(initial.strip().encode(), session.challenge)
    try:
        given = await mechanism(exchange)
        answer = await _ask(session, given)
        await conclude(exchange, given, answer)
    except Cancelled:
        return replies.AUTH_CANCELLED
    except Malformed:
        return replies.BAD_AUTH
    except PostriderError:
        metrics.LOGINS.labels("away").inc()
        return replies.LOGIN_LATER
    if answer.outcome == "ok":
        session.login = answer
    return replies.LOGIN_OFF if answer.off else _OUTCOMES[answer.outcome]


def refusal(client: Client) -> Reply | None:
    """Return the reply to AUTH if this client may not use it now."""
    if not client.helo or (client.context.settings.smtp_strict and not client.extended):
        return replies.HELO_FIRST
    if client.login is not None:
        return replies.ALREADY_LOGGED_IN
    if client.transaction.mail_from is not None:
        return replies.AUTH_DURING_MAIL
    allowed = may_log_in(client)
    client.consulted("S3", not allowed, tls=client.tls, plaintext=client.context.settings.smtp_plaintext_auth)
    return None if allowed else replies.NEEDS_TLS


async def _ask(session: SmtpSession, given: Given) -> LoginAnswer:
    """Return auth's answer when it is due. Raises PostriderError."""
    address = session.peer.address
    answer = await session.context.logins.ask(new_id(), "smtp", given, address)
    if not await session.context.tarpit.delay(address, answer.delay):
        # for right and wrong passwords alike: a difference would disclose the right one
        answer = LoginAnswer("throttled")
    metrics.LOGINS.labels(answer.outcome).inc()
    if answer.outcome != "ok":
        session.failed_logins += 1
        if session.failed_logins >= MOST_FAILURES:
            session.conduct.end()  # 421 follows this reply
    return answer
