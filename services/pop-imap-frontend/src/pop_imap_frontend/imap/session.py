"""One IMAP connection: read a command, check its state, run it, answer (RFC 3501 2.2, 3)."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

from auth_client.wire import LoginAnswer
from mailkit.deadlines import IdleTimeout
from mailkit.errors import PostriderError
from mailkit.listener import Peer
from mailkit.logs import get_logger
from mailkit.reading import LineTooLong
from mailkit.report import report
from mailkit.stream import Stream
from mailkit.tls_versions import warn_of_old
from pop_imap_frontend.imap import changes, metrics
from pop_imap_frontend.imap.commands import COMMANDS, State
from pop_imap_frontend.imap.context import ImapContext
from pop_imap_frontend.imap.grammar import BadCommand, Cursor
from pop_imap_frontend.imap.reader import Disconnect, RawCommand, read_command
from pop_imap_frontend.imap.refusals import refused
from pop_imap_frontend.imap.responses import No
from pop_imap_frontend.imap.selected import Selected

log = get_logger()

MOST_BAD_COMMANDS = 20
#: Commands of one client before the event loop runs other tasks.
_TURN = 50


class ImapSession:
    """The session of one client. `login` and `selected` are set as it moves through the states."""

    follows_changes = True

    def __init__(self, stream: Stream, peer: Peer, context: ImapContext) -> None:
        self.stream = stream
        self.peer = peer
        self.context = context
        self.state = State.NOT_AUTHENTICATED
        self.login: LoginAnswer | None = None
        self.selected: Selected | None = None
        self.tls = peer.implicit_tls
        self.failed_logins = 0
        #: The proof of the login, renewed by the re-check (docs/decisions/0040).
        self.proof = b""
        #: Set by the feed if this mailbox changed since mailstore was last asked for changes.
        self.changed = asyncio.Event()
        self._unwatch: Callable[[], None] | None = None
        self._bad = 0
        self._ending: str | None = None
        self._literals = 0  # octets taken from the mailbox's budget for the present command
        self._busy = False  # running a command, which gets its tagged response before a BYE
        self._task: asyncio.Task[None] | None = None

    # -- begin and end of the connection

    async def run(self) -> None:
        """Answer commands until LOGOUT, until the client disconnects or is idle too long, or until `end` or a limit."""
        self._task = asyncio.current_task()
        metrics.SESSIONS.inc()
        try:
            self.stream.write(b"* OK [CAPABILITY %b] %b ready\r\n" % (self.capabilities(), self.context.name.encode()))
            for number in itertools.count(1):
                if self.state is State.LOGOUT or self._ending is not None:
                    break
                if number % _TURN == 0:  # a client may have sent thousands of commands ahead
                    await asyncio.sleep(0)
                self.stream.set_idle(self.context.idle_seconds if self.login else 60)
                try:
                    await self._answer(await self._read())
                finally:
                    self._give_literals_back()
                await self.stream.drain()
            if self._ending is not None and self.state is not State.LOGOUT:
                self.bye(self._ending)
        except IdleTimeout:
            self.bye("silent for too long")
        except Disconnect as error:
            self.bye(str(error))
        except asyncio.CancelledError:
            self.bye(self._ending or "server is going down")
        except (EOFError, OSError):
            pass
        finally:
            metrics.SESSIONS.dec()
            if self._unwatch is not None:
                self._unwatch()
            await self.stream.aclose()

    def end(self, reason: str) -> None:
        """End the session for an external reason (account changed, server stops): at once, or after the present command."""
        if self._ending is None:
            self._ending = reason
            if self._task is not None and not self._busy:
                self._task.cancel()

    async def end_with_jitter(self, spread: float) -> None:
        """End within `spread` seconds, so that clients of a draining server do not all reconnect at once (decision 13)."""
        await asyncio.sleep(random.uniform(0, spread))  # noqa: S311
        self.end("server is going down")

    def bye(self, text: str) -> None:
        self.stream.write(b"* BYE %b\r\n" % text.encode())

    # -- one command

    async def _read(self) -> RawCommand:
        limit = self.context.append_limit
        return await read_command(
            self.stream, append_limit=limit, take_literal=None if self.login is None else self._take_literal
        )

    async def _take_literal(self, size: int) -> None:
        """Take a literal's octets from the mailbox's budget until the command is answered. Raises OverLimit."""
        with self.only_for_client():
            self._literals += await self.context.literals.take(self.mailbox_id, size)

    def _give_literals_back(self) -> None:
        if self._literals:
            self.context.literals.give_back(self.mailbox_id, self._literals)
            self._literals = 0

    async def _answer(self, raw: RawCommand) -> None:
        started = time.perf_counter()
        self._busy = True
        try:
            status, text = await self._carry_out(raw)
        finally:
            self._busy = False
        if raw.name == "STARTTLS" and status == b"OK":
            return await self._begin_tls(raw.tag)
        name = raw.name if raw.name in COMMANDS else "unknown"
        metrics.command(name, status.decode(), time.perf_counter() - started)
        self.stream.write(b"%b %b %b\r\n" % (raw.tag, status, text.encode()))
        if status == b"BAD":
            self._bad += 1
            if self._bad >= MOST_BAD_COMMANDS:
                raise Disconnect("too many bad commands")

    async def _begin_tls(self, tag: bytes) -> None:
        """Send the OK in plain text, then begin TLS; octets sent before the handshake are discarded (RFC 3501 6.2.1)."""
        assert self.context.tls is not None
        self.stream.write(b"%b OK begin TLS\r\n" % tag)
        version = await self.stream.start_tls(self.context.tls(self.peer.listener))
        warn_of_old(version, self.peer.listener, self.peer.address)
        self.tls = True

    async def _carry_out(self, raw: RawCommand) -> tuple[bytes, str]:
        """Run a command; returns OK, NO or BAD and the text after it. SERVERBUG is only for errors that are bugs."""
        try:
            command = COMMANDS.get(raw.name)
            if raw.refusal is not None:
                raise raw.refusal
            if command is None:
                raise BadCommand("unknown command")
            if self.state not in command.allowed_in:
                raise BadCommand("not allowed now: log in first" if not self.login else "not allowed in this state")
            text = await command.run(self, Cursor(raw.data, raw.start))
            if command.tells_changes and self.selected is not None and self.changed.is_set():
                self._ending = self._ending or await changes.tell_after_command(self)
            return b"OK", text
        except LineTooLong:
            self._ending = "the line is too long"
            return b"BAD", self._ending
        except BadCommand as error:
            return b"BAD", str(error)
        except No as error:
            return b"NO", str(error)
        except Disconnect as error:
            self._ending = str(error)
            return b"NO", self._ending
        except IdleTimeout:
            self._ending = "silent for too long"
            return b"NO", self._ending
        except PostriderError as error:
            return b"NO", refused(raw.name, error)
        except (EOFError, OSError):
            raise
        except Exception as error:
            report(error, "a command", command=raw.name)
            return b"NO", "[SERVERBUG] internal error"

    # -- used by commands

    def capabilities(self) -> bytes:
        """Return the capabilities in the present state of the connection."""
        names = ["IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "IDLE"]
        if self.login is not None:
            names += [
                "NAMESPACE",
                "CHILDREN",
                "UIDPLUS",
                "UNSELECT",
                "SPECIAL-USE",
                "LIST-EXTENDED",
                "LIST-STATUS",
                "MOVE",
                f"APPENDLIMIT={self.context.append_limit}",
            ]
        else:
            if not self.tls and self.context.tls is not None:
                names.append("STARTTLS")
            names.append("AUTH=PLAIN" if self.may_log_in() else "LOGINDISABLED")
        return " ".join(names).encode()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let `end` interrupt a command while it waits for its client; then, or if `end` was called before, raises No."""
        if self._ending is not None:
            raise No(f"[UNAVAILABLE] {self._ending}")
        self._busy = False
        try:
            yield
        except asyncio.CancelledError:
            if self._ending is None or self._task is None:
                raise
            self._task.uncancel()
            raise No(f"[UNAVAILABLE] {self._ending}") from None
        finally:
            self._busy = True

    @asynccontextmanager
    async def in_turn(self, *, only_reads: bool) -> AsyncIterator[None]:
        """Run an expensive command within the mailbox's limit of concurrent ones. Raises OverLimit.

        The wait, and with `only_reads` the command too, is cancelled if the client disconnects.
        """
        with self.only_for_client():
            taken = await self.context.commands.take(self.mailbox_id)
            try:
                if not only_reads:
                    self.stream.when_lost = None
                yield
            finally:
                self.context.commands.give_back(self.mailbox_id, taken)

    @contextmanager
    def only_for_client(self) -> Iterator[None]:
        """Cancel a command that only reads if its client disconnects. Raises ConnectionResetError if it already has."""
        assert self._task is not None
        self.stream.when_lost = self._task.cancel
        try:
            if self.stream.lost:
                raise ConnectionResetError("the client is gone")
            yield
        finally:
            self.stream.when_lost = None

    def may_log_in(self) -> bool:
        return self.tls or self.context.plaintext_logins

    def logged_in(self, answer: LoginAnswer) -> None:
        """Enter the authenticated state and register the session with the change feed and the re-check."""
        self.login, self.proof = answer, answer.proof
        self.state = State.AUTHENTICATED
        self._unwatch = self.context.watch(self)

    def select(self, selected: Selected | None) -> None:
        self.selected = selected
        self.state = State.SELECTED if selected is not None else State.AUTHENTICATED

    @property
    def account(self) -> LoginAnswer:
        assert self.login is not None
        return self.login

    @property
    def mailbox_id(self) -> UUID:
        assert self.account.mailbox_id is not None
        return self.account.mailbox_id

    @property
    def view(self) -> Selected:
        assert self.selected is not None
        return self.selected

    def writable(self) -> Selected:
        """Return the selected folder; raises No if it is open read-only."""
        if self.view.read_only:
            raise No("[READ-ONLY] the mailbox was opened with EXAMINE")
        return self.view
