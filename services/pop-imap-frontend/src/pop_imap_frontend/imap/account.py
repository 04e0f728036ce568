"""Commands of any state, and those that log in (RFC 3501 6.1, 6.2; RFC 2971, 2342, 4959)."""

import base64
import binascii

from auth_client.wire import LoginAnswer
from mailkit.errors import PostriderError
from mailkit.logs import get_logger
from pop_imap_frontend.imap import changes
from pop_imap_frontend.imap.commands import ANY, LOGGED_IN, State, command
from pop_imap_frontend.imap.grammar import BadCommand, Cursor
from pop_imap_frontend.imap.reader import Disconnect
from pop_imap_frontend.imap.responses import Away, No
from pop_imap_frontend.imap.session import ImapSession

log = get_logger()

_LONGEST_SASL = 4096
_REFUSALS = {
    "refused": "[AUTHENTICATIONFAILED] wrong user name or password",
    "throttled": "[LIMIT] too many failed logins, try again later",
    "too_soon": "[LIMIT] logged in too recently, try again later",
    "busy": "[UNAVAILABLE] too many logins at this moment, try again",
}


@command("CAPABILITY", ANY)
async def capability(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.stream.write(b"* CAPABILITY %b\r\n" % session.capabilities())
    return "CAPABILITY completed"


@command("NOOP", ANY, tells_changes=False)
async def noop(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    if session.selected is not None:
        await changes.tell(session)
    return "NOOP completed"


@command("LOGOUT", ANY, tells_changes=False)
async def logout(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.bye("logging out")
    session.state = State.LOGOUT
    return "LOGOUT completed"


@command("ID", ANY)
async def identify(session: ImapSession, cursor: Cursor) -> str:
    """Answer ID (RFC 2971); the client's parameters are parsed and discarded."""
    cursor.space()
    if cursor.peek() == b"(":
        for _ in cursor.each("a list"):
            cursor.astring()  # NIL, and atoms from clients that forget the quotes
    elif cursor.keyword() != "NIL":
        raise BadCommand("expected a list or NIL")
    cursor.end()
    session.stream.write(b'* ID ("name" "Postrider")\r\n')
    return "ID completed"


@command("STARTTLS", State.NOT_AUTHENTICATED)
async def starttls(session: ImapSession, cursor: Cursor) -> str:
    """Check whether TLS can begin (RFC 3501 6.2.1); the stream discards octets sent ahead in plain text."""
    cursor.end()
    if session.tls or session.context.tls is None:
        raise BadCommand("TLS is already active" if session.tls else "TLS is not available")
    return ""  # the session sends the OK and begins TLS


@command("LOGIN", State.NOT_AUTHENTICATED)
async def login(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    user = cursor.login_text()
    cursor.space()
    password = cursor.login_text()
    cursor.end()
    return await _log_in(session, user, password, "LOGIN")


@command("AUTHENTICATE", State.NOT_AUTHENTICATED)
async def authenticate(session: ImapSession, cursor: Cursor) -> str:
    """Log in with SASL PLAIN (RFC 4616), with or without an initial response (SASL-IR, RFC 4959)."""
    cursor.space()
    mechanism = cursor.keyword("a mechanism")
    if mechanism != "PLAIN":
        raise No("[CANNOT] the only mechanism here is PLAIN")
    _require_tls(session)
    if cursor.at_end():
        session.stream.write(b"+ \r\n")
        with session.waiting():
            coded = (await session.stream.readline(_LONGEST_SASL)).strip()
    else:
        cursor.space()
        coded = cursor.data[cursor.pos :].strip()
    if coded == b"*":
        raise BadCommand("cancelled")
    try:
        _authorise, user, password = base64.b64decode(coded, validate=True).decode().split("\0")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise BadCommand("the response is not a SASL PLAIN message") from None
    return await _log_in(session, user, password, "AUTHENTICATE")


def _require_tls(session: ImapSession) -> None:
    if not session.may_log_in():
        raise No("[PRIVACYREQUIRED] logins need TLS, use STARTTLS first")


async def _log_in(session: ImapSession, user: str, password: str, verb: str) -> str:
    _require_tls(session)
    try:
        answer: LoginAnswer = await session.context.log_in("imap", user, password, session.peer)
    except PostriderError:
        raise Away from None
    with session.waiting():
        answer = await session.context.log_in.when_due(answer, session.peer, session.stream)
    if answer.outcome != "ok":
        session.failed_logins += 1
        if session.failed_logins >= 5:
            raise Disconnect("too many failed logins")
        raise No(_REFUSALS[answer.outcome])
    session.logged_in(answer)
    return f"[CAPABILITY {session.capabilities().decode()}] {verb} completed"


@command("NAMESPACE", LOGGED_IN)
async def namespace(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.stream.write(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    return "NAMESPACE completed"
