"""What logins read and change: two statements per list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from auth.storage.directory import PATIENCE
from auth_api.wire import LoginAnswer
from mailkit.ids import new_id
from mailkit.postgres.pool import Queries, translated

queries = Queries("auth.storage", "logins.sql")

#: How long a network counts as an account's own after a right password from it, and the age at which that time is updated.
NETWORK_KNOWN = timedelta(days=14)
NETWORK_RENEWED = timedelta(days=1)
#: Limit of networks remembered per mailbox; new ones are not added until old ones have expired.
MOST_NETWORKS = 64


@dataclass(frozen=True, slots=True)
class Times:
    """The time and periods by which a list of attempts is judged, from one reading of the clock (decision 11)."""

    now: datetime
    grant: timedelta
    window: timedelta


@dataclass(frozen=True, slots=True)
class Change:
    """What one attempt changes. `good`: the password was right for `mailbox_id` at `version` (below 0: an app password's number).

    `account`, `place` and `client` are the keys of the failure counters (None: not counted): of the account from networks
    that are not its own, of the account from this network, of the client. `holder`: the address that gets a grant;
    `reset`: the counter `place` is set to 0; `network`: to be remembered as the account's own. `pop3_delay`: P4.
    """

    operation_id: UUID
    good: bool
    pop3: bool
    mailbox_id: UUID | None
    version: int
    account: str | None
    place: str | None
    client: str | None
    holder: str | None
    reset: bool
    network: str | None
    pop3_delay: timedelta


class LoginRows:
    """The statements of `logins.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(
        self,
        operations: Sequence[UUID],
        accounts: Sequence[str],
        clients: Sequence[str | None],
        networks: Sequence[str | None],
        selectors: Sequence[str | None],
        times: Times,
    ) -> list[asyncpg.Record]:
        """Return one record per attempt, in order."""
        async with translated():
            rows: list[asyncpg.Record] = await self._pool.fetch(
                queries.read,
                range(len(operations)),
                operations,
                accounts,
                clients,
                times.now - times.window,
                times.now + times.window,
                networks,
                times.now - NETWORK_KNOWN,
                selectors,
                timeout=PATIENCE,
            )
        return rows

    async def commit(self, changes: Sequence[Change], times: Times) -> list[tuple[LoginAnswer, bool]]:
        """Make the changes in one transaction; return each one's answer and whether a grant was given."""
        async with translated():
            try:
                rows = await self._commit(changes, times)
            except asyncpg.DeadlockDetectedError:  # an operator's change locked rows in another order: repeat once
                rows = await self._commit(changes, times)
            answers = {row["n"]: (_answer(row, row["version"]), bool(row["granted"])) for row in rows}
            missing = [n for n in range(len(changes)) if n not in answers]
            if missing:
                others = await self._pool.fetch(
                    queries.answers, [changes[n].operation_id for n in missing], timeout=PATIENCE
                )
                known = {row["operation_id"]: _answer(row, row["credential_version"]) for row in others}
                for n in missing:
                    answers[n] = (known.get(changes[n].operation_id, LoginAnswer("busy")), False)
        return [answers[n] for n in range(len(changes))]

    async def _commit(self, changes: Sequence[Change], times: Times) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._pool.fetch(
            queries.commit,
            range(len(changes)),
            [change.operation_id for change in changes],
            [change.good for change in changes],
            [change.pop3 for change in changes],
            [change.mailbox_id for change in changes],
            [change.version for change in changes],
            [change.account for change in changes],
            [change.client for change in changes],
            [change.holder for change in changes],
            [new_id() if change.holder else None for change in changes],
            [change.reset for change in changes],
            times.now,
            [times.now - change.pop3_delay for change in changes],
            times.now + times.grant,
            times.now - times.window,
            times.now + times.window,
            [change.place for change in changes],
            [change.network for change in changes],
            MOST_NETWORKS,
            timeout=PATIENCE,
        )
        return rows

    async def undo_checks(self, operations: Sequence[UUID]) -> set[UUID]:
        """Take back P4's time where it is still the one that the operation wrote; return those operations."""
        async with translated():
            rows = await self._pool.fetch(queries.undo_checks, list(operations), timeout=PATIENCE)
        return {row["id"] for row in rows}

    async def rehash(self, better: Sequence[tuple[UUID, str, str]]) -> None:
        """Replace outdated hashes: (mailbox, outdated hash, better hash of the same password)."""
        async with translated():
            await self._pool.execute(
                queries.rehash, *(list(column) for column in zip(*better, strict=True)), timeout=PATIENCE
            )

    async def remember(self, right: Sequence[tuple[UUID, int, bytes]], now: datetime) -> None:
        """Keep the tags of right passwords: (mailbox, credential version, tag)."""
        async with translated():
            await self._pool.execute(
                queries.remember, *(list(column) for column in zip(*right, strict=True)), now, timeout=PATIENCE
            )


def remembered_answer(row: asyncpg.Record) -> LoginAnswer | None:
    """Return the answer that a repeated operation got before; None if it is new."""
    return _answer(row, row["answered_version"]) if row["answered"] else None


def _answer(row: asyncpg.Record, version: int) -> LoginAnswer:
    outcome = row["outcome"]
    if outcome != "ok":
        return LoginAnswer(outcome, retry_after=row["retry_after"])
    return LoginAnswer("ok", row["mailbox_id"], row["address"], version, row["quota_limit"], row["limit_version"])
