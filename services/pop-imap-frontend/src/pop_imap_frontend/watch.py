"""What open sessions are told from outside: changes in their mailbox (decision 8) and the end of their account (15)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from auth_client.client import AuthClient
from auth_client.wire import LoginAnswer, SessionQuestion
from mailkit.logs import get_logger
from mailkit.report import report
from mailstore_client.client import MailstoreClient

log = get_logger()

RECHECK_SECONDS = 5.0


class Watched(Protocol):
    """A logged-in session."""

    news: asyncio.Event

    @property
    def account(self) -> LoginAnswer:
        """Whose session it is."""
        ...

    def end(self, reason: str) -> None:
        """Say goodbye for `reason`."""
        ...


class Watch:
    """The logged-in sessions of this process, by mailbox."""

    def __init__(self, mailstore: MailstoreClient, auth: AuthClient) -> None:
        self._mailstore = mailstore
        self._auth = auth
        self._sessions: dict[UUID, set[Watched]] = {}

    def add(self, session: Watched) -> Callable[[], None]:
        """Watch `session` until the answer is called."""
        mailbox_id = session.account.mailbox_id
        assert mailbox_id is not None
        self._sessions.setdefault(mailbox_id, set()).add(session)

        def remove() -> None:
            there = self._sessions.get(mailbox_id)
            if there is not None:
                there.discard(session)
                if not there:
                    del self._sessions[mailbox_id]

        return remove

    async def follow_feed(self) -> None:
        """Pass the change feed on, for ever; after a gap every session looks for itself."""
        while True:
            try:
                self._everybody()
                async for news in self._mailstore.feed():
                    if news.everything:
                        self._everybody()
                    for mailbox_id in news.mailbox_ids:
                        for session in self._sessions.get(mailbox_id, ()):
                            session.news.set()
            except Exception as error:  # whatever it is, the feed goes on
                report(error, "feed")
            await asyncio.sleep(0.5)

    def _everybody(self) -> None:
        for sessions in self._sessions.values():
            for session in sessions:
                session.news.set()

    async def recheck(self) -> None:
        """End the sessions whose account was disabled or whose password changed; one list call for all."""
        sessions = [session for group in self._sessions.values() for session in group]
        for start in range(0, len(sessions), 5000):
            await self._recheck(sessions[start : start + 5000])

    async def _recheck(self, sessions: Sequence[Watched]) -> None:
        questions = [
            SessionQuestion(s.account.mailbox_id, s.account.credential_version)
            for s in sessions
            if s.account.mailbox_id
        ]
        for session, good in zip(sessions, await self._auth.sessions(questions), strict=True):
            if not good:
                session.end("the account was changed, log in again")
