"""Logins of mailboxes that are not here yet: the old host of a moving domain checks the password (docs/decisions/0126)."""

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from msgspec import structs

from auth.login.attempts import Try, Verdict
from auth.login.passwords import Checked, HashQueue, Passwords, QueueFull
from auth.moves import Move, Moves
from auth.storage.accounts import Accounts
from auth.storage.callers import service
from auth.storage.moves import MoveRows
from auth_api.wire import Login, LoginAnswer, OldHost
from mailkit.errors import Conflict, PostriderError, Unavailable
from mailkit.net.old_host import WrongPassword, log_in, log_out
from mailkit.postgres.rows import Row
from mailkit.process.clock import Clock
from mailkit.process.report import report

#: Deadline of a check at an old host, and of the end of its session (seconds).
CHECK_SECONDS = 4.0
END_SECONDS = 1.0
#: Checks of one host at the same time, and those that wait for one; more are answered `busy`.
AT_ONCE = 16
MOST_WAITING = 16
#: How long a password that an old host found right is not asked about again (seconds).
REMEMBERED_SECONDS = 60
MOST_REMEMBERED = 20_000
#: The answer to a login that an old host has to check.
ELSEWHERE = Verdict("elsewhere")


class OldHosts:
    """Who checks a login, and the check at an old host."""

    def __init__(
        self,
        moves: Moves,
        rows: MoveRows,
        accounts: Accounts,
        passwords: Passwords,
        queue: HashQueue,
        clock: Clock,
        tls: ssl.SSLContext,
    ) -> None:
        self._moves = moves
        self._rows = rows
        self._accounts = accounts
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._passwords = passwords
        self._queue = queue
        self._clock = clock
        self._tls = tls
        self._asked: dict[str, tuple[asyncio.Semaphore, int]] = {}

    async def of(self, accounts: Sequence[str], rows: Sequence[Row]) -> dict[int, Move]:
        """Return the moves by which logins, by number, belong to an old host. Raises Unavailable."""
        moves = await self._moves.known()
        if not moves:
            return {}
        found: dict[int, Move] = {}
        for n, (account, row) in enumerate(zip(accounts, rows, strict=True)):
            move = moves.get(account.rpartition("@")[2])
            if move is not None and (row["id"] is None or row["state"] == "enabled"):
                found[n] = move
        doubtful = {n: rows[n]["id"] for n, move in found.items() if move.phase == "new" and rows[n]["id"] is not None}
        if doubtful:
            there = await self._moves.at_old_host(list(doubtful.values()))
            for n, mailbox_id in doubtful.items():
                if mailbox_id not in there:
                    del found[n]
        return found

    def remembers(self, tag: bytes) -> bool:
        """Return whether a password was found right in this minute."""
        return tag in self._right

    def remember(self, tag: bytes) -> None:
        """Keep what `remembers` says, of at most MOST_REMEMBERED passwords."""
        self._right[tag] = None
        if len(self._right) > MOST_REMEMBERED:
            self._right.popitem(last=False)

    async def judge(
        self,
        login: Login,
        account: str,
        row: Row,
        move: Move,
        check: Callable[[Callable[[], Awaitable[Checked]]], Awaitable[Checked]],
        known: bool,
        delay: float,
        for_good: float,
    ) -> Verdict:
        """Let the old host check a password; one that is right, and its mailbox, are here then.

        `check`: counts the password while it is being checked, and remembers a right one; `known`: it was right before. `delay`
        and `for_good`: of the answers to wrong and right ones.
        """
        if login.protocol != "smtp" and _server(move, login.protocol) is None:
            return Verdict("busy", 1)  # nothing there serves the session
        if known:
            return Verdict("good", delay=for_good)
        try:
            if not (await check(lambda: self._ask(move, account, login.password))).good:
                return Verdict("wrong", delay=delay)
            await self._keep(
                move, account, row["id"], row["credential_version"] or 0, row["password_hash"], login.password
            )
        except (PostriderError, QueueFull) as error:
            report(error, "a login at an old host", domain=move.domain)
            return Verdict("busy", 1)
        return Verdict("good", delay=for_good)

    async def _ask(self, move: Move, account: str, password: str) -> Checked:
        protocol = "imap" if move.imap else "pop3"
        endpoint = move.imap or move.pop3
        assert endpoint is not None
        slots, asked = self._asked.get(move.domain, (asyncio.Semaphore(AT_ONCE), 0))
        if asked >= AT_ONCE + MOST_WAITING:
            raise Unavailable(f"too many logins wait for {endpoint[0]}")
        self._asked[move.domain] = slots, asked + 1
        try:
            async with slots:
                connection = await log_in(protocol, *endpoint, account, password, tls=self._tls, seconds=CHECK_SECONDS)
                await log_out(protocol, connection, seconds=END_SECONDS)
            return Checked(True)
        except WrongPassword:
            return Checked(False)
        finally:
            slots, asked = self._asked.pop(move.domain)
            if asked > 1:
                self._asked[move.domain] = slots, asked - 1

    async def _keep(
        self, move: Move, account: str, mailbox_id: UUID | None, version: int, stored: str | None, password: str
    ) -> None:
        """Make the mailbox of a good login, or take over its password, unless it is here already."""
        if mailbox_id is None:
            hashed = await self._queue.run(lambda: self._passwords.hash(password))
            with suppress(Conflict), service():  # it was made meanwhile
                now = self._clock.now()
                await self._accounts.add_mailbox(account, move.domain, hashed, None, now, at_old_host=True)
        elif not (await self._queue.run(lambda: self._passwords.check(stored, password))).good:
            hashed = await self._queue.run(lambda: self._passwords.hash(password))
            with service():
                await self._rows.set_hash(mailbox_id, version, hashed)


def hand_over(attempt: Try, move: Move, answer: LoginAnswer) -> LoginAnswer:
    """Return a good answer with the server that has the mailbox's mail; it has no proof for mailstore."""
    if answer.outcome != "ok":
        return answer
    return structs.replace(answer, old_host=_server(move, attempt.login.protocol))


def _server(move: Move, protocol: str) -> OldHost | None:
    endpoint = move.imap if protocol == "imap" else move.pop3
    return OldHost(*endpoint) if endpoint is not None else None


def remembered_as(account: str) -> str:
    """Return the name under which a password that was right is remembered, for REMEMBERED_SECONDS at most."""
    return f"{_minute()} {account}"


def _minute() -> int:
    return int(time.monotonic() // REMEMBERED_SECONDS)
