"""One POP3 connection (RFC 1939 3): AUTHORIZATION, TRANSACTION, UPDATE."""

import asyncio
import random
import time
from array import array
from collections.abc import Callable
from uuid import UUID

from auth_client.wire import LoginAnswer
from mailkit.deadlines import IdleTimeout
from mailkit.errors import InternalError, NotFound, PostriderError, Unanswered, Unavailable, is_final
from mailkit.ids import new_id
from mailkit.listener import Peer
from mailkit.logs import get_logger
from mailkit.reading import LineTooLong
from mailkit.report import report
from mailkit.stream import Stream
from mailstore_client.wire import CloseMaildrop, Maildrop, OpenMaildrop
from pop_imap_frontend.conversation.logins import login_ends
from pop_imap_frontend.pop3 import metrics, replies
from pop_imap_frontend.pop3.commands import COMMANDS, State
from pop_imap_frontend.pop3.context import Away, Pop3Context, Refused
from pop_imap_frontend.pop3.prefetch import Prefetch

log = get_logger()

#: RFC 2449 4: a command line has at most 255 octets; AUTH's response is longer.
LINE = 255
SASL_LINE = 4096
MOST_BAD_COMMANDS = 20
MOST_FAILED_LOGINS = 5
LOGIN_SECONDS = 60


class Pop3Session:
    """The session of one client. Deletions are only marks in the session until QUIT."""

    follows_changes = False

    def __init__(self, stream: Stream, peer: Peer, context: Pop3Context) -> None:
        self.stream = stream
        self.peer = peer
        self.context = context
        self.state = State.AUTHORIZATION
        self.tls = peer.implicit_tls
        self.user = ""
        self.login: LoginAnswer | None = None
        self.session_id = new_id()
        self.changed = asyncio.Event()
        self.proof = b""  # of the login, renewed by the re-check (docs/decisions/0040)
        self.uidvalidity = 0
        self.folder_id = 0
        self.uids: array[int] = array("I")
        self.sizes: array[int] = array("I")
        self.deleted: set[int] = set()
        self.octets = 0
        """Size of the messages that are not marked deleted, as STAT answers it."""
        self.prefetch = Prefetch(self)
        self._bad = 0
        self._failed = 0
        self._held = False
        self._drop = UUID(int=0)  # the mailbox that this session has locked, or may have
        self._updating = False
        self._unwatch: Callable[[], None] | None = None
        self._ending: str | None = None
        self._task: asyncio.Task[None] | None = None

    # -- begin and end of the connection

    async def run(self) -> None:
        """Answer commands until QUIT, until the client disconnects, or until `end` or a limit ends the session."""
        self._task = asyncio.current_task()
        metrics.SESSIONS.inc()
        try:
            self.say(f"+OK {self.context.name} POP3 ready")
            while self.state is not State.CLOSED:
                self.stream.set_idle(self.context.idle_seconds if self.login else LOGIN_SECONDS)
                try:
                    line = await self.stream.readline(LINE)
                except LineTooLong:
                    await self.stream.skip_line()
                    self._count_bad()
                    self.say(replies.TOO_LONG)
                    continue
                await self._answer(line)
                await self.stream.drain()
        except IdleTimeout:
            pass  # RFC 1939 3: closed without a response, nothing is removed
        except asyncio.CancelledError:
            self.say(f"-ERR [SYS/TEMP] {self._ending or 'server is going down'}")
        except (EOFError, OSError, LineTooLong):
            pass
        finally:
            metrics.SESSIONS.dec()
            if self._unwatch is not None:
                self._unwatch()
            self.context.leases.remove(self)
            if self._held:
                await self.context.leases.free(self._drop, self.session_id, self.proof)
            await self.stream.aclose()

    def end(self, reason: str) -> None:
        """End the session for an external reason; no message is removed. Without effect once QUIT removes messages."""
        self._ending = reason
        if self._task is not None and not self._updating:
            self._task.cancel()

    async def end_with_jitter(self, spread: float) -> None:
        """End within `spread` seconds; a logged-in session gets all of them to reach QUIT (decision 13)."""
        await asyncio.sleep(spread if self.login else random.uniform(0, spread))  # noqa: S311
        self.end("server is going down")

    def say(self, line: str) -> None:
        self.stream.write(line.encode("utf-8", "replace") + b"\r\n")

    # -- one command

    async def _answer(self, line: bytes) -> None:
        name, _, argument = line.decode("utf-8", "replace").partition(" ")
        name = name.strip()
        command = COMMANDS.get(name.upper())
        started, answer = time.perf_counter(), "err"
        try:
            if command is None:
                raise Refused(replies.UNKNOWN)
            if self.state not in command.allowed_in:
                raise Refused(replies.NOT_NOW)
            await command.run(self, argument if command.verbatim else argument.strip())
            answer = "ok"
        except Refused as error:
            self.say(str(error))
            if error.ends:
                self.state = State.CLOSED
            if command is None or str(error) in (replies.NOT_NOW, replies.SYNTAX):
                self._count_bad()
        except NotFound:
            self.say(replies.NO_SUCH)
        except PostriderError as error:
            report(error, "a command", command=name.upper() if command else "unknown")
            self.say(_refusal(error))
        except (EOFError, OSError, IdleTimeout):
            raise
        except Exception as error:
            report(error, "a command", command=name.upper())
            self.say(replies.BUG)
        finally:
            metrics.command(name.upper() if command else "unknown", answer, time.perf_counter() - started)

    def _count_bad(self) -> None:
        self._bad += 1
        if self._bad >= MOST_BAD_COMMANDS:
            self.say("-ERR too many bad commands")
            self.state = State.CLOSED

    # -- used by commands

    @property
    def account(self) -> LoginAnswer:
        assert self.login is not None
        return self.login

    @property
    def mailbox_id(self) -> UUID:
        assert self.account.mailbox_id is not None
        return self.account.mailbox_id

    def require_tls(self) -> None:
        if not self.tls and not self.context.plaintext_logins:
            raise Refused(replies.TLS_REQUIRED)

    async def log_in(self, user: str, password: str) -> None:
        """Ask auth, lock the maildrop and answer with its size, all within one deadline. Raises Refused."""
        ends, operation = login_ends(), new_id()
        try:
            answer = await self.context.log_in("pop3", user, password, self.peer, ends=ends, operation=operation)
        except PostriderError:
            raise Refused(replies.AWAY) from None
        due = None
        try:
            due = await self.context.log_in.when_due(answer, self.peer, self.stream)
        finally:
            if answer.outcome == "ok" and due is not answer:
                await self.context.log_in.undo_check(operation)  # P4 counts checks of mail; this was not one
        answer, ends = due, ends + due.delay
        if answer.outcome == "too_soon":  # P4
            raise Refused(replies.LOGIN_DELAY.format(seconds=self.context.login_delay), ends=True)
        if answer.outcome != "ok":
            self._failed += 1
            lines = {"refused": replies.REFUSED, "throttled": replies.THROTTLED, "busy": replies.BUSY}
            raise Refused(lines[answer.outcome], ends=self._failed >= MOST_FAILED_LOGINS)
        try:
            drop = await self._take_maildrop(answer, ends)
        except Away:
            await self.context.log_in.undo_check(operation)  # P4 counts checks of mail; this was not one
            raise
        self.login = answer
        self.context.leases.add(self)
        self._unwatch = self.context.watch(self)
        self.uidvalidity, self.folder_id = drop.uidvalidity, drop.folder_id
        self.uids, self.sizes = array("I", drop.uids), array("I", drop.sizes)
        self.state = State.TRANSACTION
        self.octets = sum(self.sizes)
        self.say(f"+OK {len(self.uids)} messages ({self.octets} octets)")

    async def _take_maildrop(self, answer: LoginAnswer, ends: float) -> Maildrop:
        """Lock the maildrop and return its snapshot. Raises Refused; a lock that may have been taken is freed at the end."""
        assert answer.mailbox_id is not None
        self._drop, self.proof = answer.mailbox_id, answer.proof
        try:
            async with asyncio.timeout_at(ends):
                drop = await self.context.mailstore.open_maildrop(
                    OpenMaildrop(self._drop, self.session_id, proof=self.proof)
                )
        except (Unanswered, TimeoutError):
            self._held = True
            raise Away(replies.AWAY) from None
        except NotFound:
            raise Refused(replies.REFUSED) from None  # removed since auth was asked
        except PostriderError:
            raise Away(replies.AWAY) from None
        self._held = drop.status == "ok"
        if not self._held:
            raise Refused(replies.IN_USE)
        return drop

    def place(self, argument: str) -> int:
        """Return the position of the message that `argument` names; raises Refused if there is none or it is marked deleted."""
        if not (argument.isascii() and argument.isdecimal() and len(argument) <= 10):
            raise Refused(replies.SYNTAX)
        at = int(argument) - 1
        if not 0 <= at < len(self.uids):
            raise Refused(replies.NO_SUCH)
        if at in self.deleted:
            raise Refused(replies.DELETED)
        return at

    def present(self) -> list[int]:
        """Return the positions of the messages that are not marked deleted."""
        return [at for at in range(len(self.uids)) if at not in self.deleted]

    async def update(self) -> None:
        """Remove the marked messages at QUIT and only then answer +OK; the session ends in any case (RFC 1939 6)."""
        gone = array("I", [self.uids[at] for at in sorted(self.deleted)]).tobytes()
        self.state = State.CLOSED
        self._updating = True  # from here on `end` does not interrupt the session
        self.context.leases.remove(self)
        try:
            answer = await self._close(CloseMaildrop(self.mailbox_id, self.session_id, gone))
        except NotFound:
            self._held = False
            answer = replies.LOST
        except PostriderError as error:
            report(error, "remove messages")
            answer = replies.NOT_KNOWN if isinstance(error, Unanswered) else replies.NOT_REMOVED
        self.say(answer if gone else "+OK bye")

    async def _close(self, question: CloseMaildrop) -> str:
        """The answer to QUIT. A call whose answer was lost is retried once; mailstore then repeats its first answer."""
        try:
            closed = await self.context.mailstore.close_maildrop(question)
        except Unanswered:
            try:
                closed = await self.context.mailstore.close_maildrop(question)
            except (Unavailable, InternalError) as error:
                raise Unanswered(str(error)) from error
        self._held = False
        return "+OK bye" if closed.status == "ok" else replies.LOST


def _refusal(error: PostriderError) -> str:
    """The response for `error`: SYS/TEMP if a retry can help, else SYS/PERM (RFC 3206)."""
    if is_final(error):
        return replies.CANNOT
    return replies.BUG if isinstance(error, InternalError) else replies.AWAY
