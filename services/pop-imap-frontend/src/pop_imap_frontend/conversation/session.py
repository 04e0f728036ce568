"""The life of one connection of either protocol: greeting, commands, login, TLS, and every way in which it ends."""

import asyncio
import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal
from uuid import UUID

from prometheus_client import Gauge

from auth_api.wire import LoginAnswer
from mailkit.net.deadlines import IdleTimeout
from mailkit.net.listener import Peer
from mailkit.net.old_host import OldConnection
from mailkit.net.stream import Stream
from mailkit.net.tls_versions import warn_of_old
from pop_imap_frontend.conversation.context import Context
from pop_imap_frontend.conversation.old_host import relay

MOST_BAD_COMMANDS = 20
MOST_FAILED_LOGINS = 5
#: Autologout timer (seconds) before the login.
LOGIN_SECONDS = 60
#: Commands of one client before the event loop runs other tasks.
_TURN = 50
_GOING_DOWN = "server is going down"


class Session(ABC):
    """The session of one client. The task of `run` carries out one command at a time; the other methods may be called by any."""

    open_sessions: ClassVar[Gauge]
    follows_changes: bool
    """Whether changes of the mailbox are of interest to the session, see `watch.Watched`."""
    protocol: ClassVar[Literal["imap", "pop3"]]
    ends_last: ClassVar[bool]
    """Whether a drain leaves a logged-in session all its time (decision 13)."""

    def __init__(self, stream: Stream, peer: Peer, context: Context) -> None:
        self.stream = stream
        self.peer = peer
        self.context = context
        self.tls = peer.implicit_tls
        self.login: LoginAnswer | None = None
        self.proof = b""
        """The proof of the login, renewed by the re-check (docs/decisions/0040)."""
        self.old_host: OldConnection | None = None
        """The session at the old host, which has the mailbox (docs/decisions/0126)."""
        self.changed = asyncio.Event()
        """Set by the change feed if the mailbox changed since mailstore was last asked."""
        self.ending: str | None = None
        """Why the session must end after the present command; None if it need not."""
        self._busy = False  # `end` does not interrupt the command
        self._bad_commands = 0
        self._failed_logins = 0
        self._unwatch: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    # -- what the protocols do differently

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether the last response has been sent."""

    @abstractmethod
    def greet(self) -> None:
        """Send the greeting."""

    @abstractmethod
    async def exchange(self) -> None:
        """Read one command and answer it. Raises EOFError, OSError, IdleTimeout."""

    @abstractmethod
    def autologout(self) -> None:
        """Send the response to a client that was silent for too long, if the protocol has one."""

    @abstractmethod
    def bye(self, text: str, *, temporary: bool = False) -> None:
        """Send the last response and be `over`. `temporary`: the client is to connect again."""

    async def release(self) -> None:  # noqa: B027 - nothing, unless a protocol holds something
        """Give back what the session holds in other services, at its end."""

    # -- begin and end

    async def run(self) -> None:
        """Answer commands until the client leaves or is silent for too long, or until `end` or a limit ends the session."""
        self._task = asyncio.current_task()
        self.open_sessions.inc()
        try:
            self.greet()
            await self._exchanges()
        except IdleTimeout:
            self.autologout()
        except asyncio.CancelledError:
            if self.old_host is None:  # what it says may be in the middle of anything
                self.bye(self.ending or _GOING_DOWN, temporary=True)
        except (EOFError, OSError):
            pass
        finally:
            self.open_sessions.dec()
            if self._unwatch is not None:
                self._unwatch()
            if self.old_host is not None:
                self.old_host.close()
            await self.release()
            await self.stream.aclose()

    async def _exchanges(self) -> None:
        for number in itertools.count(1):
            if self.over or self.ending is not None:
                break
            if number % _TURN == 0:  # a client may have sent thousands of commands ahead
                await asyncio.sleep(0)
            self.stream.set_idle(self.context.idle_seconds if self.login else LOGIN_SECONDS)
            await self.exchange()
            await self.stream.drain()
            if self.old_host is not None and self.ending is None:
                return await relay(self.stream, self.old_host, self.context.idle_seconds)
        if self.ending is not None and not self.over:
            self.bye(self.ending, temporary=True)

    def end(self, reason: str) -> None:
        """End the session for an external reason (account changed, server stops): at once, or after the present command."""
        if self.ending is None:
            self.ending = reason
            if self._task is not None and not self._busy:
                self._task.cancel()

    async def end_with_jitter(self, spread: float) -> None:
        """End within `spread` seconds, so that clients of a draining server do not all reconnect at once (decision 13)."""
        await asyncio.sleep(spread if self.ends_last and self.login else random.uniform(0, spread))
        self.end(_GOING_DOWN)

    def count_bad_command(self) -> None:
        """Count a command that is unknown, malformed or out of place; too many end the session."""
        self._bad_commands += 1
        if self._bad_commands >= MOST_BAD_COMMANDS:
            self.bye("too many bad commands")

    # -- TLS and login

    async def begin_tls(self) -> None:
        """Begin TLS, right after its OK was written; octets sent ahead in plain text are discarded (RFC 3501 6.2.1, 2595 4)."""
        assert self.context.tls is not None
        version = await self.stream.start_tls(self.context.tls(self.peer.listener))
        warn_of_old(version, self.peer.listener, self.peer.address)
        self.tls = True

    def tls_refusal(self) -> str:
        """Return why TLS cannot begin; empty if it can."""
        if self.tls:
            return "TLS is already active"
        if self.stream.compressed:
            return "compression is active"
        return "" if self.context.tls is not None else "TLS is not available"

    def may_log_in(self) -> bool:
        return self.tls or self.context.plaintext_logins

    def login_failed(self) -> bool:
        """Count a failed login; return whether it was one too many."""
        self._failed_logins += 1
        return self._failed_logins >= MOST_FAILED_LOGINS

    def logged_in(self, answer: LoginAnswer) -> None:
        """Keep the login, and register the session with the change feed and the re-check."""
        self.login, self.proof = answer, answer.proof
        self._unwatch = self.context.watch.add(self)

    @property
    def followed(self) -> tuple[int, int] | None:
        """See `watch.Watched`."""
        return None

    def logged_out(self) -> None:
        """Forget the login (RFC 8437)."""
        if self._unwatch is not None:
            self._unwatch()
        self._unwatch = self.login = None
        self.proof = b""
        self.changed.clear()

    @property
    def account(self) -> LoginAnswer:
        assert self.login is not None
        return self.login

    @property
    def mailbox_id(self) -> UUID:
        assert self.account.mailbox_id is not None
        return self.account.mailbox_id
