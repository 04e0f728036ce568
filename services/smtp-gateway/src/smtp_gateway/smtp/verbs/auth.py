"""SMTP AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN, with and without an initial response."""

import base64
import binascii

from auth_api.wire import Login, LoginAnswer
from mailkit.errors import PostriderError
from mailkit.ids import new_id
from mailkit.mail.reply import Reply
from smtp_gateway import metrics, replies
from smtp_gateway.smtp.session import SmtpSession

MOST_FAILURES = 5

_OUTCOMES = {
    "ok": replies.LOGGED_IN,
    "refused": replies.LOGIN_REFUSED,
    "throttled": replies.LOGIN_THROTTLED,
    "too_soon": replies.LOGIN_LATER,
    "busy": replies.LOGIN_LATER,
}


class _Cancelled(Exception):
    """The client cancelled AUTH by sending `*`."""


async def auth(session: SmtpSession, argument: str) -> None:
    with metrics.AUTH_SECONDS.time():
        reply = await _auth(session, argument)
    await session.say(reply, "AUTH")


async def _auth(session: SmtpSession, argument: str) -> Reply:
    """Run AUTH and return the reply. A successful login is kept in the session, for this connection only (S3)."""
    if not session.helo or (session.context.settings.smtp_strict and not session.extended):
        return replies.HELO_FIRST
    if session.login is not None:
        return replies.ALREADY_LOGGED_IN
    if session.transaction.mail_from is not None:
        return replies.AUTH_DURING_MAIL
    if not session.may_log_in():
        return replies.NEEDS_TLS
    mechanism, _, initial = argument.partition(" ")
    try:
        if mechanism.upper() == "PLAIN":
            user, password = await _plain(session, initial.strip())
        elif mechanism.upper() == "LOGIN":
            user, password = await _login(session, initial.strip())
        else:
            return replies.UNKNOWN_MECHANISM
    except _Cancelled:
        return replies.AUTH_CANCELLED
    except ValueError:
        return replies.BAD_AUTH
    return await _ask(session, user, password)


async def _ask(session: SmtpSession, user: str, password: str) -> Reply:
    try:
        answer = await session.context.logins.ask(Login(new_id(), "smtp", user, password, session.peer.address))
    except PostriderError:
        metrics.LOGINS.labels("away").inc()
        return replies.LOGIN_LATER
    if not await session.context.tarpit.delay(session.peer.address, answer.delay):
        # for right and wrong passwords alike: a difference would disclose the right one
        answer = LoginAnswer("throttled")
    metrics.LOGINS.labels(answer.outcome).inc()
    if answer.outcome == "ok":
        session.login = answer
    else:
        session.failed_logins += 1
        if session.failed_logins >= MOST_FAILURES:
            session.conduct.end()  # 421 follows this reply
    return _OUTCOMES[answer.outcome]


async def _plain(session: SmtpSession, initial: str) -> tuple[str, str]:
    text = initial if initial else await _challenge(session, b"")
    parts = _decode(text).split("\0")
    if len(parts) != 3:
        raise ValueError("not a PLAIN message")
    return parts[1], parts[2]


async def _login(session: SmtpSession, initial: str) -> tuple[str, str]:
    user = _decode(initial if initial else await _challenge(session, b"Username:"))
    return user, _decode(await _challenge(session, b"Password:"))


async def _challenge(session: SmtpSession, text: bytes) -> str:
    """Send a 334 and return the client's line."""
    answer = (await session.challenge(text)).strip().decode("ascii", "replace")
    if answer == "*":
        raise _Cancelled
    return answer


def _decode(text: str) -> str:
    """Decode Base64 to text; `=` is the empty response (RFC 4954 4). Raises ValueError."""
    if text == "=":
        return ""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not base64") from error
