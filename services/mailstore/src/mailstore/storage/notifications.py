"""Announcements of changed mailboxes: collected after commits, sent by NOTIFY to all replicas, heard by LISTEN.

NOTIFY is not part of the transactions of changes, since Postgres commits one transaction with NOTIFY at a time
(docs/decisions/0055).
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, open_session

queries = Queries("mailstore.storage", "notifications.sql")

CHANNEL = "postrider_mailboxes"
#: Payloads stay below 7,900 octets; above MOST_NAMED mailboxes the payload is `*`, for any mailbox.
_IDS_A_PAYLOAD = 235
MOST_NAMED = 5000
_ALL = "*"
#: After a NOTIFY, changes are collected for this time (seconds), so that a busy replica does not wake all others for each.
_COLLECT_SECONDS = 0.005
#: Seconds between checks of an idle session, the longest wait for their answer, and for the last announcements at the end.
_CHECK_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_FLUSH_SECONDS = 2.0
#: A commit that only notifies need not be flushed: with the database, all sessions that listen are lost too.
_SESSION = {"synchronous_commit": "off"}


class Notifications:
    """The announcements of this process, and those of all replicas, on one session of its own.

    The first announcement is "everything": a process that died before this one may have committed changes without it.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._ids: set[UUID] = set()
        self._everything = True
        self._waiting = asyncio.Event()
        self._waiting.set()
        self._sent = asyncio.Event()

    @contextmanager
    def after_commit(self) -> Iterator[set[UUID]]:
        """Announce, at the end of the block, the mailboxes that it put into the set.

        The block has the transaction inside, and fills the set where only COMMIT is left: so nothing is announced before it
        is committed or after a rollback, but all is that may be committed, also if COMMIT is not answered.
        """
        committing: set[UUID] = set()
        try:
            yield committing
        finally:
            self.announce(committing)

    def announce(self, mailbox_ids: Iterable[UUID]) -> None:
        """Collect changed mailboxes, to be announced at once or with the next NOTIFY; never waits."""
        self._ids.update(mailbox_ids)
        if len(self._ids) > MOST_NAMED:
            self._everything = True
        if self._everything:
            self._ids.clear()
        if self._ids or self._everything:
            self._waiting.set()
            self._sent.clear()

    async def run(self, changed: Callable[[list[UUID] | None], None]) -> None:
        """Send and receive until the session ends; call `changed` with the mailboxes of each notification (None: any).

        Begins with None, for what came before it listened. Raises the errors of the connection.
        """

        def received(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            text = str(payload)
            changed(None if text == _ALL else [UUID(hex=part) for part in text.split()])

        connection = await open_session(self._dsn, "feed", _SESSION)
        try:
            await connection.add_listener(CHANNEL, received)
            changed(None)
            while not connection.is_closed():
                await self._send(connection)
                # not wait_for, which before Python 3.12 loses a cancellation that comes with the result
                try:
                    async with asyncio.timeout(_CHECK_SECONDS):
                        await self._waiting.wait()
                except TimeoutError:
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        await connection.fetchval("select 1")
        finally:
            connection.terminate()

    async def _send(self, connection: asyncpg.Connection) -> None:
        """Send what is collected in one statement; after a failure it is collected again, since it may not have arrived."""
        if not self._waiting.is_set():
            return
        ids, everything = self._ids, self._everything
        self._ids, self._everything = set(), False
        self._waiting.clear()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connection.execute(queries.notify, _payloads(ids, everything))
        except BaseException:
            self._everything |= everything
            self._waiting.set()
            self.announce(ids)
            raise
        if not self._waiting.is_set():
            self._sent.set()
        await asyncio.sleep(_COLLECT_SECONDS)

    async def flush(self) -> None:
        """Wait until all is sent, at most _FLUSH_SECONDS."""
        try:
            await asyncio.wait_for(self._sent.wait(), _FLUSH_SECONDS)
        except TimeoutError:
            pass


def _payloads(ids: set[UUID], everything: bool) -> list[str]:
    if everything:
        return [_ALL]
    words = sorted(each.hex for each in ids)
    return [" ".join(words[at : at + _IDS_A_PAYLOAD]) for at in range(0, len(words), _IDS_A_PAYLOAD)]
