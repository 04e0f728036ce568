"""Commands of any state, and those that log in (RFC 3501 6.1, 6.2; RFC 2971, 2342, 4959, 5161)."""

from auth_api.logins import Given, conclude
from auth_api.wire import LoginAnswer
from mailkit.errors import PostriderError
from mailkit.mail.sasl import LONGEST_RESPONSE, Cancelled, Exchange, Malformed, Password
from mailkit.net.old_host import WrongPassword
from pop_imap_frontend.conversation.logins import login_ends
from pop_imap_frontend.conversation.old_host import connect
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import AWAY, BadCommand, Disconnect, No
from pop_imap_frontend.imap.session import ImapSession

_REFUSALS = {
    "refused": "[AUTHENTICATIONFAILED] wrong user name or password",
    "throttled": "[LIMIT] too many failed logins, try again later",
    "too_soon": "[LIMIT] logged in too recently, try again later",
    "busy": "[UNAVAILABLE] too many logins at this moment, try again",
}
_OFF = "[AUTHORIZATIONFAILED] IMAP is off for this mailbox"


async def capability(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.stream.write(b"* CAPABILITY %b\r\n" % session.capabilities())
    return "CAPABILITY completed"


async def noop(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    if session.selected is not None:
        await session.send_changes()
    return "NOOP completed"


async def logout(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.bye("logging out")
    return "LOGOUT completed"


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


async def unauthenticate(session: ImapSession, cursor: Cursor) -> str:
    """Return to the state before the login, with nothing selected or enabled; TLS stays (RFC 8437)."""
    if not session.context.unauthenticate:
        raise BadCommand("unknown command")
    cursor.end()
    session.logged_out()
    return "UNAUTHENTICATE completed"


async def starttls(session: ImapSession, cursor: Cursor) -> str:
    """Check whether TLS can begin (RFC 3501 6.2.1)."""
    cursor.end()
    if refusal := session.tls_refusal():
        raise BadCommand(refusal)
    return ""  # the session sends the OK and begins TLS


async def compress(session: ImapSession, cursor: Cursor) -> str:
    """Check whether compression can begin (RFC 4978 3)."""
    cursor.space()
    if cursor.keyword("a mechanism") != "DEFLATE":
        raise BadCommand("the only mechanism here is DEFLATE")
    cursor.end()
    if session.stream.compressed:
        raise BadCommand("compression is already active")
    if session.stream.sent_ahead:
        raise BadCommand("nothing may follow COMPRESS before its response")
    return "compression is active"  # the session begins it behind this response


async def login(session: ImapSession, cursor: Cursor) -> str:
    cursor.space()
    user = cursor.login_text()
    cursor.space()
    password = cursor.login_text()
    cursor.end()
    _require_tls(session)
    try:
        given = Password(user, password)
        return await _logged_in(session, await _ask(session, given), given, "LOGIN")
    except PostriderError:
        raise No(AWAY) from None


async def authenticate(session: ImapSession, cursor: Cursor) -> str:
    """Log in with a SASL mechanism (RFC 3501 6.2.2), with or without an initial response (SASL-IR, RFC 4959)."""
    cursor.space()
    mechanism = session.context.logins.mechanisms.get(cursor.keyword("a mechanism"))
    if mechanism is None:
        raise No("[CANNOT] this mechanism is not supported")
    _require_tls(session)

    async def challenge(text: bytes) -> bytes:
        session.stream.write(b"+ " + text + b"\r\n")
        with session.waiting():
            return await session.stream.readline(LONGEST_RESPONSE)

    exchange = Exchange(cursor.data[cursor.pos :].strip(), challenge)
    try:
        given = await mechanism(exchange)
        answer = await _ask(session, given, exchange)
        return await _logged_in(session, answer, given, "AUTHENTICATE")
    except Cancelled:
        raise BadCommand("cancelled") from None
    except Malformed as error:
        raise BadCommand(str(error)) from None
    except PostriderError:
        raise No(AWAY) from None


def _require_tls(session: ImapSession) -> None:
    if not session.may_log_in():
        raise No("[PRIVACYREQUIRED] logins need TLS, use STARTTLS first")


async def _ask(session: ImapSession, given: Given, exchange: Exchange | None = None) -> LoginAnswer:
    """Return auth's answer to a good login, when it is due, with `exchange` concluded.

    Raises No, Disconnect, PostriderError, and Cancelled or Malformed if the client does not conclude it.
    """
    logins = session.context.logins
    answer = await logins.check("imap", given, session.peer)
    with session.waiting():
        answer = await logins.when_due(answer, session.peer, session.stream)
    if exchange is not None:
        await conclude(exchange, given, answer)
    if answer.outcome != "ok":
        raise _failed(session, _OFF if answer.off else _REFUSALS[answer.outcome])
    return answer


async def _logged_in(session: ImapSession, answer: LoginAnswer, given: Given, verb: str) -> str:
    """Begin the session, here or at an old host. Raises No, Disconnect, PostriderError."""
    capabilities = session.capabilities
    if answer.old_host is not None:
        try:
            old = await connect("imap", answer, given, session.context.old_host_tls, login_ends())
        except WrongPassword:
            raise _failed(session, _REFUSALS["refused"]) from None
        session.old_host = old
        capabilities = old.shown
    session.logged_in(answer)
    found = capabilities().decode()
    return f"[CAPABILITY {found}] {verb} completed" if found else f"{verb} completed"


def _failed(session: ImapSession, text: str) -> No | Disconnect:
    return Disconnect("too many failed logins") if session.login_failed() else No(text)


async def enable(session: ImapSession, cursor: Cursor) -> str:
    """Enable extensions that change what the server sends; names that are not such extensions are ignored (RFC 5161 3.1)."""
    names: list[str] = []
    while not names or not cursor.at_end():
        cursor.space()
        names.append(cursor.keyword("a capability"))
    had_modseqs = session.condstore
    enabled = [name for name in dict.fromkeys(names) if session.enable(name)]
    shown = ["IMAP4rev2" if name == "IMAP4REV2" else name for name in enabled]
    session.stream.write(f"{' '.join(['* ENABLED', *shown])}\r\n".encode())
    if session.condstore and not had_modseqs:
        session.send_highest_modseq()
    return "ENABLE completed"


async def namespace(session: ImapSession, cursor: Cursor) -> str:
    cursor.end()
    session.stream.write(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    return "NAMESPACE completed"
