"""AUTHORIZATION: CAPA, STLS and the logins (RFC 1939 4 and 7, RFC 2449, RFC 2595, RFC 5034), UTF8 and LANG (RFC 6856)."""

from uuid import UUID

from auth_api.logins import Given, conclude
from auth_api.wire import LoginAnswer
from mailkit.errors import PostriderError
from mailkit.ids import new_id
from mailkit.mail.sasl import LONGEST_RESPONSE, Cancelled, Exchange, Malformed, Password
from mailkit.mail.saslprep import saslprep
from mailkit.net.old_host import WrongPassword
from mailkit.net.reading import LineTooLong
from pop_imap_frontend.conversation.logins import login_ends
from pop_imap_frontend.conversation.old_host import connect
from pop_imap_frontend.pop3 import refusals
from pop_imap_frontend.pop3.refusals import Away, Refused
from pop_imap_frontend.pop3.session import Pop3Session

_REFUSALS = {"refused": refusals.REFUSED, "throttled": refusals.THROTTLED, "busy": refusals.BUSY}


async def capa(session: Pop3Session, argument: str) -> None:
    """List the capabilities (RFC 2449); USER and SASL only where logins are allowed; LOGIN-DELAY is P4. After the login, the account's plan is said."""
    names = [
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        session.expiry(),
        "UTF8 USER",
        "LANG",
    ]
    if session.may_log_in():
        names += ["USER", " ".join(["SASL", *session.context.logins.mechanisms])]
    if not session.tls_refusal():
        names.append("STLS")
    session.reply("+OK capabilities\r\n" + "\r\n".join([*names, "IMPLEMENTATION Postrider", "."]))


async def stls(session: Pop3Session, argument: str) -> None:
    """Begin TLS (RFC 2595 4); the argument of USER is discarded."""
    if refusal := session.tls_refusal():
        raise Refused(f"-ERR {refusal}")
    if session.utf8:
        raise Refused("-ERR STLS comes before UTF8")  # RFC 6856 2.1
    session.reply("+OK begin TLS")
    await session.begin_tls()
    session.user = ""


async def utf8(session: Pop3Session, argument: str) -> None:
    """Enter UTF-8 mode: messages are sent as they are."""
    if argument:
        raise Refused(refusals.SYNTAX)
    session.utf8 = True
    session.reply("+OK UTF-8 mode")


async def lang(session: Pop3Session, argument: str) -> None:
    """List the languages of responses, or choose one (RFC 6856 3.2): English is the only one."""
    if not argument:
        session.reply("+OK languages\r\nen English\r\n.")
    elif argument.lower() in ("*", "en"):
        session.reply("+OK en English")
    else:
        raise Refused("-ERR no such language here")


async def user(session: Pop3Session, argument: str) -> None:
    _require_tls(session)
    if not argument:
        raise Refused(refusals.SYNTAX)
    session.user = _prepared(session, argument)
    session.reply("+OK")


async def password(session: Pop3Session, argument: str) -> None:
    _require_tls(session)
    if not session.user:
        raise Refused("-ERR USER first")
    name, session.user = session.user, ""
    await _log_in(session, Password(name, _prepared(session, argument)))


def _prepared(session: Pop3Session, argument: str) -> str:
    """Return an argument of USER or PASS; raises Refused if SASLprep prohibits it or it is not UTF-8 (RFC 6856 2.2).

    auth compares the prepared forms.
    """
    try:
        if not argument.isascii():
            saslprep(argument)
    except ValueError:
        raise Refused(refusals.REFUSED, ends=session.login_failed()) from None
    return argument


async def auth(session: Pop3Session, argument: str) -> None:
    """Log in with a SASL mechanism (RFC 5034), with or without an initial response."""
    name, _, initial = argument.partition(" ")
    _require_tls(session)
    mechanism = session.context.logins.mechanisms.get(name.upper())
    if mechanism is None:
        raise Refused("-ERR this mechanism is not supported")

    async def challenge(text: bytes) -> bytes:
        session.stream.write(b"+ " + text + b"\r\n")
        try:
            return await session.stream.readline(LONGEST_RESPONSE)
        except LineTooLong:
            await session.skip_line()
            raise Refused(refusals.TOO_LONG) from None

    exchange = Exchange(initial.strip().encode(), challenge)
    try:
        try:
            given = await mechanism(exchange)
        except PostriderError:
            raise Away from None
        await _log_in(session, given, exchange)
    except Cancelled:
        raise Refused("-ERR cancelled") from None
    except Malformed:
        raise Refused(refusals.SYNTAX) from None


def _require_tls(session: Pop3Session) -> None:
    if not session.may_log_in():
        raise Refused(refusals.TLS_REQUIRED)


async def _log_in(session: Pop3Session, given: Given, exchange: Exchange | None = None) -> None:
    """Ask auth, lock the maildrop and answer with its size, all within one deadline, in which waits for the client do not count.

    Raises Refused, and Cancelled or Malformed if the client does not conclude `exchange`.
    """
    logins = session.context.logins
    ends, operation = login_ends(), new_id()
    try:
        answer = await logins.check("pop3", given, session.peer, ends=ends, operation=operation)
    except PostriderError:
        raise Away from None
    due = None
    try:
        due = await logins.when_due(answer, session.peer, session.stream)
    finally:
        if answer.outcome == "ok" and due is not answer:
            await logins.undo_check(operation)  # P4 counts checks of mail; this was not one
    answer, ends = due, ends + due.delay
    if answer.outcome == "too_soon":  # P4
        raise Refused(refusals.LOGIN_DELAY.format(seconds=session.login_delay(answer)), ends=True)
    if answer.outcome != "ok":
        if exchange is not None:
            await conclude(exchange, given, answer)
        line = refusals.OFF if answer.off else _REFUSALS[answer.outcome]
        raise Refused(line, ends=session.login_failed())
    session.proof = answer.proof  # to release the lock with, if mailstore does not say that it was taken
    if exchange is not None:
        left, concluded = ends - login_ends(), False
        try:
            await conclude(exchange, given, answer)
            concluded = True
        finally:
            if not concluded:
                await logins.undo_check(operation)  # P4, as above
        ends = login_ends() + left
    if answer.old_host is not None:
        return await _hand_over(session, given, answer, ends, operation)
    try:
        drop = await session.lock.take(answer, ends)
    except Away:
        await logins.undo_check(operation)  # P4, as above
        raise
    session.open(answer, drop)
    session.reply(f"+OK {len(session.drop.uids)} messages ({session.drop.octets} octets)")


async def _hand_over(session: Pop3Session, given: Given, answer: LoginAnswer, ends: float, operation: UUID) -> None:
    """Go on at the old host, which has the mailbox (docs/decisions/0126). Raises Refused."""
    try:
        session.old_host = await connect("pop3", answer, given, session.context.old_host_tls, ends)
    except WrongPassword:
        raise Refused(refusals.REFUSED, ends=session.login_failed()) from None
    except PostriderError:
        raise Away from None
    finally:
        if session.old_host is None:
            await session.context.logins.undo_check(operation)  # P4: this was no check of mail
    session.logged_in(answer)
    session.reply("+OK logged in")
