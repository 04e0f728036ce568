"""POP3 commands and the states in which they are allowed (RFC 1939, RFC 2449, RFC 2595, RFC 5034)."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING

from mailkit.reading import LineTooLong
from mailkit.tls_versions import warn_of_old
from pop_imap_frontend.pop3 import replies
from pop_imap_frontend.pop3.context import Refused
from pop_imap_frontend.pop3.sending import send_message

if TYPE_CHECKING:
    from pop_imap_frontend.pop3.session import Pop3Session


class State(Flag):
    """State of a session (RFC 1939 3)."""

    AUTHORIZATION = auto()
    TRANSACTION = auto()
    CLOSED = auto()


BOTH = State.AUTHORIZATION | State.TRANSACTION
Run = Callable[["Pop3Session", str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Command:
    """A command's function and the states in which it is allowed.

    `verbatim`: spaces around the argument are part of it (RFC 1939 7, PASS).
    """

    allowed_in: State
    run: Run
    verbatim: bool = False


COMMANDS: dict[str, Command] = {}


def command(name: str, allowed_in: State, *, verbatim: bool = False) -> Callable[[Run], Run]:
    """Register the decorated function as the command `name`."""

    def register(run: Run) -> Run:
        COMMANDS[name] = Command(allowed_in, run, verbatim)
        return run

    return register


@command("CAPA", BOTH)
async def capa(session: "Pop3Session", argument: str) -> None:
    """List the capabilities (RFC 2449); USER and SASL only where logins are allowed; LOGIN-DELAY is P4."""
    names = [
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "EXPIRE NEVER",
        f"LOGIN-DELAY {session.context.login_delay}",
    ]
    if session.tls or session.context.plaintext_logins:
        names += ["USER", "SASL PLAIN"]
    if not session.tls and session.context.tls is not None:
        names.append("STLS")
    session.say("+OK capabilities\r\n" + "\r\n".join([*names, "IMPLEMENTATION Postrider", "."]))


@command("STLS", State.AUTHORIZATION)
async def stls(session: "Pop3Session", argument: str) -> None:
    """Begin TLS (RFC 2595 4); octets sent ahead in plain text and the argument of USER are discarded."""
    if session.tls or session.context.tls is None:
        raise Refused("-ERR TLS is already active" if session.tls else "-ERR TLS is not available")
    session.say("+OK begin TLS")
    version = await session.stream.start_tls(session.context.tls(session.peer.listener))
    warn_of_old(version, session.peer.listener, session.peer.address)
    session.tls = True
    session.user = ""


@command("USER", State.AUTHORIZATION)
async def user(session: "Pop3Session", argument: str) -> None:
    session.require_tls()
    if not argument:
        raise Refused(replies.SYNTAX)
    session.user = argument
    session.say("+OK")


@command("PASS", State.AUTHORIZATION, verbatim=True)
async def password(session: "Pop3Session", argument: str) -> None:
    session.require_tls()
    if not session.user:
        raise Refused("-ERR USER first")
    name, session.user = session.user, ""
    await session.log_in(name, argument)


@command("AUTH", State.AUTHORIZATION)
async def auth(session: "Pop3Session", argument: str) -> None:
    """Log in with SASL PLAIN (RFC 5034), with or without an initial response."""
    mechanism, _, initial = argument.partition(" ")
    session.require_tls()
    if mechanism.upper() != "PLAIN":
        raise Refused("-ERR the only mechanism here is PLAIN")
    if not initial:
        session.say("+ ")
        try:
            initial = (await session.stream.readline(4096)).decode("ascii", "replace").strip()
        except LineTooLong:
            await session.stream.skip_line()
            raise Refused(replies.TOO_LONG) from None
    if initial == "*":
        raise Refused("-ERR cancelled")
    try:
        _, name, secret = base64.b64decode(initial, validate=True).decode().split("\0")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refused(replies.SYNTAX) from None
    await session.log_in(name, secret)


@command("STAT", State.TRANSACTION)
async def stat(session: "Pop3Session", argument: str) -> None:
    session.say(f"+OK {len(session.uids) - len(session.deleted)} {session.octets}")


async def _listing(session: "Pop3Session", argument: str, value: Callable[[int], str]) -> None:
    if argument:
        at = session.place(argument)
        session.say(f"+OK {at + 1} {value(at)}")
        return
    lines = [f"{at + 1} {value(at)}" for at in session.present()]
    session.say("\r\n".join([f"+OK {len(lines)} messages", *lines, "."]))


@command("LIST", State.TRANSACTION)
async def list_(session: "Pop3Session", argument: str) -> None:
    await _listing(session, argument, lambda at: str(session.sizes[at]))


@command("UIDL", State.TRANSACTION)
async def uidl(session: "Pop3Session", argument: str) -> None:
    await _listing(session, argument, lambda at: f"{session.uidvalidity}.{session.uids[at]}")


@command("RETR", State.TRANSACTION)
async def retr(session: "Pop3Session", argument: str) -> None:
    await send_message(session, session.place(argument))


@command("TOP", State.TRANSACTION)
async def top(session: "Pop3Session", argument: str) -> None:
    number, _, lines = argument.partition(" ")
    lines = lines.strip()
    if not (lines.isascii() and lines.isdecimal() and len(lines) <= 10):
        raise Refused(replies.SYNTAX)
    await send_message(session, session.place(number), int(lines))


@command("DELE", State.TRANSACTION)
async def dele(session: "Pop3Session", argument: str) -> None:
    at = session.place(argument)
    session.deleted.add(at)
    session.octets -= session.sizes[at]
    session.say(f"+OK message {at + 1} marked")


@command("RSET", State.TRANSACTION)
async def rset(session: "Pop3Session", argument: str) -> None:
    session.octets += sum(session.sizes[at] for at in session.deleted)
    session.deleted.clear()
    session.say("+OK")


@command("NOOP", State.TRANSACTION)
async def noop(session: "Pop3Session", argument: str) -> None:
    session.say("+OK")


@command("QUIT", BOTH)
async def quit_(session: "Pop3Session", argument: str) -> None:
    if session.state is State.TRANSACTION:
        await session.update()
        return
    session.state = State.CLOSED
    session.say("+OK bye")
