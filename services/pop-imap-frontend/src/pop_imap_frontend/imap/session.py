"""One IMAP connection: read a command, check its state, run it, answer (RFC 3501 2.2, 3)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from auth_api.wire import LoginAnswer
from mailkit.errors import PostriderError
from mailkit.net.deadlines import IdleTimeout
from mailkit.net.listener import Peer
from mailkit.net.reading import LineTooLong
from mailkit.net.stream import Stream
from mailkit.process.report import report
from pop_imap_frontend.imap import metrics
from pop_imap_frontend.imap.context import ImapContext
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.notifying import NotifyingSession
from pop_imap_frontend.imap.reader import RawCommand, read_command
from pop_imap_frontend.imap.refusals import BadCommand, Disconnect, No, refused
from pop_imap_frontend.imap.responses import mailbox
from pop_imap_frontend.imap.state import ImapState, capabilities


@dataclass(frozen=True, slots=True)
class ImapVerb:
    """A command. `run` gets the session and a cursor behind the command's name and returns the text after `tag OK `.

    `sends_changes`: changes by other sessions may be sent before the tagged response; EXPUNGE responses are forbidden
    during FETCH, STORE and SEARCH by number (RFC 3501 7.4.1).
    """

    allowed_in: ImapState
    run: Callable[["ImapSession", Cursor], Awaitable[str]]
    sends_changes: bool = True


class ImapSession(NotifyingSession):
    """The session of one client. `verbs`: every command by its name in capitals."""

    open_sessions = metrics.SESSIONS
    ends_last = False

    def __init__(self, stream: Stream, peer: Peer, context: ImapContext, verbs: Mapping[str, ImapVerb]) -> None:
        super().__init__(stream, peer, context)
        self._verbs = verbs
        self._literals = 0  # octets taken from the mailbox's budget for the present command
        self._tag = b"*"  # of the present command

    @property
    def over(self) -> bool:
        return self.state is ImapState.LOGOUT

    def greet(self) -> None:
        self.stream.write(b"* OK [CAPABILITY %b] %b ready\r\n" % (self.capabilities(), self.context.name.encode()))

    def autologout(self) -> None:
        self.bye("silent for too long")

    def bye(self, text: str, *, temporary: bool = False) -> None:
        self.stream.write(b"* BYE %b\r\n" % text.encode())
        self.state = ImapState.LOGOUT

    # -- one command

    async def exchange(self) -> None:
        try:
            await self.until_command()
            if self.ending is None:
                await self._answer(await self._read())
        except Disconnect as error:
            self.bye(str(error))
        finally:
            if self._literals:
                self.context.literals.give_back(self.mailbox_id, self._literals)
                self._literals = 0

    async def _read(self) -> RawCommand:
        limit = self.context.append_limit
        return await read_command(
            self.stream, append_limit=limit, take_literal=None if self.login is None else self._take_literal
        )

    async def _take_literal(self, size: int) -> None:
        """Take a literal's octets from the mailbox's budget until the command is answered. Raises OverLimit."""
        with self.only_for_client():
            self._literals += await self.context.literals.take(self.mailbox_id, size, held=self._literals)

    async def _answer(self, raw: RawCommand) -> None:
        started = time.perf_counter()
        self._tag = raw.tag
        if self._gone:
            self.changed.set()  # their EXPUNGE responses are due
        self._busy = True  # the command gets its tagged response before a BYE
        try:
            status, text = await self._carry_out(raw)
        finally:
            self._busy = False
        if raw.name == "STARTTLS" and status == b"OK":
            self.stream.write(b"%b OK begin TLS\r\n" % raw.tag)
            return await self.begin_tls()
        name = raw.name if raw.name in self._verbs else "unknown"
        metrics.command(name, status.decode(), time.perf_counter() - started)
        self.stream.write(b"%b %b %b\r\n" % (raw.tag, status, text.encode()))
        if raw.name == "COMPRESS" and status == b"OK":
            self.stream.compress()
        elif raw.name == "UNAUTHENTICATE" and status == b"OK":
            self.stream.end_compression()
        if status == b"BAD":
            self.count_bad_command()

    async def _carry_out(self, raw: RawCommand) -> tuple[bytes, str]:
        """Run a command; returns OK, NO or BAD and the text after it. SERVERBUG is only for errors that are bugs."""
        try:
            verb = self._verbs.get(raw.name)
            if raw.refusal is not None:
                raise raw.refusal
            if verb is None:
                raise BadCommand("unknown command")
            if self.state not in verb.allowed_in:
                raise BadCommand("not allowed now: log in first" if not self.login else "not allowed in this state")
            text = await verb.run(self, Cursor(raw.data, raw.start, utf8=self.utf8))
            if verb.sends_changes and self.selected is not None and self.changed.is_set():
                self.ending = self.ending or await self.send_late_changes()
            return b"OK", text
        except LineTooLong:
            self.ending = "the line is too long"
            return b"BAD", self.ending
        except BadCommand as error:
            return b"BAD", str(error)
        except No as error:
            return b"NO", str(error)
        except Disconnect as error:
            self.ending = str(error)
            return b"NO", self.ending
        except IdleTimeout:
            self.ending = "silent for too long"
            return b"NO", self.ending
        except PostriderError as error:
            return b"NO", refused(raw.name, error)
        except (EOFError, OSError):
            raise
        except Exception as error:
            report(error, "a command", command=raw.name)
            return b"NO", "[SERVERBUG] internal error"

    # -- used by verbs

    def capabilities(self) -> bytes:
        """Return the capabilities in the present state of the connection."""
        return capabilities(self.context, self.state, tls=self.tls, compressed=self.stream.compressed)

    def logged_in(self, answer: LoginAnswer) -> None:
        super().logged_in(answer)
        self.state = ImapState.AUTHENTICATED

    def logged_out(self) -> None:
        super().logged_out()
        self.condstore = self.qresync = False
        self.enabled.clear()
        self.notifier = None
        self.select(None)
        self.state = ImapState.NOT_AUTHENTICATED

    def mailbox(self, name: str) -> bytes:
        """Return a mailbox name as this client reads it."""
        return mailbox(name, utf8=self.utf8)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let `end` interrupt a command while it waits for its client; then, or if `end` was called before, raises No."""
        if self.ending is not None:
            raise No(f"[UNAVAILABLE] {self.ending}")
        self._busy = False
        try:
            yield
        except asyncio.CancelledError:
            if self.ending is None or self._task is None:
                raise
            self._task.uncancel()
            raise No(f"[UNAVAILABLE] {self.ending}") from None
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

    @asynccontextmanager
    async def in_progress(self) -> AsyncIterator[None]:
        """Say every `progress_seconds` that the command is being carried out; it sends nothing itself meanwhile (RFC 9585).

        How far it is, is not known here: one call to mailstore is the whole command.
        """
        loop, seconds = asyncio.get_running_loop(), self.context.progress_seconds
        timer: asyncio.TimerHandle

        def say() -> None:
            nonlocal timer
            self.stream.write(b'* OK [INPROGRESS ("%b" NIL NIL)] still working\r\n' % self._tag)
            timer = loop.call_later(seconds, say)

        timer = loop.call_later(seconds, say)
        try:
            yield
        finally:
            timer.cancel()

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
