"""One POP3 connection (RFC 1939 3): read a command, check its state, run it, answer."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from uuid import UUID

from auth_api.wire import LoginAnswer
from mailkit.errors import NotFound, PostriderError
from mailkit.net.deadlines import IdleTimeout
from mailkit.net.listener import Peer
from mailkit.net.reading import LineTooLong
from mailkit.net.stream import Stream
from mailkit.process.report import report
from mailstore_api.wire import Maildrop
from pop_imap_frontend.conversation.session import Session
from pop_imap_frontend.pop3 import metrics, refusals
from pop_imap_frontend.pop3.context import Pop3Context
from pop_imap_frontend.pop3.lock import MaildropLock
from pop_imap_frontend.pop3.prefetch import Prefetch
from pop_imap_frontend.pop3.refusals import Refused, refused
from pop_imap_frontend.pop3.snapshot import MaildropView

#: RFC 2449 4: a command line has at most 255 octets.
LINE = 255


class Pop3State(Flag):
    """State of a session; UPDATE is a part of QUIT."""

    AUTHORIZATION = auto()
    TRANSACTION = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Pop3Verb:
    """A command. `run` gets the session and the argument, and answers itself or raises Refused.

    `verbatim`: spaces around the argument are part of it (RFC 1939 7, PASS).
    """

    allowed_in: Pop3State
    run: Callable[["Pop3Session", str], Awaitable[None]]
    verbatim: bool = False


class Pop3Session(Session):
    """The session of one client. `verbs`: every command by its name in capitals."""

    open_sessions = metrics.SESSIONS
    follows_changes = False
    protocol = "pop3"
    ends_last = True  # to reach QUIT, without which nothing is removed
    context: Pop3Context

    def __init__(self, stream: Stream, peer: Peer, context: Pop3Context, verbs: Mapping[str, Pop3Verb]) -> None:
        super().__init__(stream, peer, context)
        self.state = Pop3State.AUTHORIZATION
        self.user = ""
        """The argument of USER, until PASS."""
        self.utf8 = False
        """Whether the client has entered UTF-8 mode (RFC 6856 2.1)."""
        self.lock = MaildropLock(context.mailstore, context.leases)
        self._verbs = verbs
        self._drop: MaildropView | None = None
        self._prefetch: Prefetch | None = None

    @property
    def over(self) -> bool:
        return self.state is Pop3State.CLOSED

    def greet(self) -> None:
        self.reply(f"+OK {self.context.name} POP3 ready")

    def autologout(self) -> None:
        """Close without a response; nothing is removed (RFC 1939 3)."""

    def bye(self, text: str, *, temporary: bool = False) -> None:
        self.reply(f"-ERR [SYS/TEMP] {text}" if temporary else f"-ERR {text}")
        self.state = Pop3State.CLOSED

    async def release(self) -> None:
        self.context.leases.remove(self)
        await self.lock.free(self.proof)

    def reply(self, line: str) -> None:
        self.stream.write(line.encode("utf-8", "replace") + b"\r\n")

    # -- one command

    async def exchange(self) -> None:
        try:
            line = await self.stream.readline(LINE)
        except LineTooLong:
            await self.skip_line()
            self.count_bad_command()
            self.reply(refusals.TOO_LONG)
            return
        await self._answer(line)

    async def skip_line(self) -> None:
        """Discard the rest of a line that is too long. Raises EOFError for one without end."""
        try:
            await self.stream.skip_line()
        except LineTooLong:
            raise EOFError("a line without end") from None

    async def _answer(self, line: bytes) -> None:
        name, _, argument = line.decode("utf-8", "replace").partition(" ")
        name = name.strip().upper()
        verb = self._verbs.get(name)
        started, answer = time.perf_counter(), "err"
        try:
            if verb is None:
                raise Refused(refusals.UNKNOWN)
            if self.state not in verb.allowed_in:
                raise Refused(refusals.NOT_NOW)
            await verb.run(self, argument if verb.verbatim else argument.strip())
            answer = "ok"
        except Refused as error:
            self.reply(str(error))
            if error.ends:
                self.state = Pop3State.CLOSED
            if str(error) in (refusals.UNKNOWN, refusals.NOT_NOW, refusals.SYNTAX):
                self.count_bad_command()
        except NotFound:
            self.reply(refusals.NO_SUCH)
        except PostriderError as error:
            report(error, "a command", command=name)
            self.reply(refused(error))
        except (EOFError, OSError, IdleTimeout):
            raise
        except Exception as error:
            report(error, "a command", command=name)
            self.reply(refusals.BUG)
        finally:
            metrics.command(name if verb else "unknown", answer, time.perf_counter() - started)

    # -- used by verbs

    def open(self, login: LoginAnswer, drop: Maildrop) -> None:
        """Enter the TRANSACTION state with the locked maildrop."""
        self.logged_in(login)
        self.context.leases.add(self)
        self._drop = MaildropView(drop)
        self._prefetch = Prefetch(self.context.mailstore, self.mailbox_id, self._drop)
        self.state = Pop3State.TRANSACTION

    def login_delay(self, answer: LoginAnswer) -> int:
        """Return P4's seconds for the account of an answer to a login."""
        return answer.login_delay if answer.login_delay >= 0 else self.context.login_delay

    def expiry(self) -> str:
        """Return EXPIRE and LOGIN-DELAY of CAPA: before the login what holds for most users (RFC 2449 6.5, 6.7)."""
        if self.login is None:
            return f"EXPIRE NEVER USER\r\nLOGIN-DELAY {self.context.login_delay} USER"
        days = self.login.expire
        return f"EXPIRE {days if days >= 0 else 'NEVER'}\r\nLOGIN-DELAY {self.login_delay(self.login)}"

    def begin_update(self) -> None:
        """Enter the UPDATE state, which `end` does not interrupt and in which the lease is not renewed (RFC 1939 6)."""
        self.state = Pop3State.CLOSED
        self._busy = True
        self.context.leases.remove(self)

    @property
    def session_id(self) -> UUID:
        return self.lock.session_id

    @property
    def drop(self) -> MaildropView:
        assert self._drop is not None
        return self._drop

    @property
    def prefetch(self) -> Prefetch:
        assert self._prefetch is not None
        return self._prefetch
