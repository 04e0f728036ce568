"""Leases of the maildrops that this process has locked, renewed together every 20 s (decision 8)."""

import asyncio
from typing import Protocol
from uuid import UUID

from mailkit.errors import NotFound, PostriderError
from mailkit.process.report import report
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import LEASES_AT_ONCE, CloseMaildrop, MaildropLease

#: Interval of the renewals; a lease lasts 60 s.
RENEW_SECONDS = 20
#: Attempts to release a lock, RENEW_SECONDS apart; after the last one its lease has expired.
MOST_TRIES = 4


class LeaseHolder(Protocol):
    """A session with a locked maildrop."""

    @property
    def mailbox_id(self) -> UUID:
        """The mailbox whose maildrop is locked."""
        ...

    @property
    def session_id(self) -> UUID:
        """The session as mailstore knows it."""
        ...

    def end(self, reason: str) -> None:
        """End the session with `reason`."""
        ...


class MaildropLeases:
    """Sessions with a locked maildrop, and locks that could not be released yet."""

    def __init__(self, mailstore: MailstoreClient) -> None:
        self._mailstore = mailstore
        self._sessions: set[LeaseHolder] = set()
        self._left: dict[UUID, tuple[UUID, bytes, int]] = {}

    def add(self, session: LeaseHolder) -> None:
        self._sessions.add(session)

    def remove(self, session: LeaseHolder) -> None:
        self._sessions.discard(session)

    async def free(self, mailbox_id: UUID, session_id: UUID, proof: bytes, tries: int = 1) -> None:
        """Release the lock of a session that ends without QUIT; retried with the renewals if mailstore does not answer."""
        try:
            await self._mailstore.close_maildrop(CloseMaildrop(mailbox_id, session_id, proof=proof))
        except NotFound:
            pass  # the mailbox was removed, and its lock with it
        except PostriderError as error:
            report(error, "free maildrop")
            if tries < MOST_TRIES:
                self._left[session_id] = (mailbox_id, proof, tries + 1)

    async def renew(self) -> None:
        """Renew all leases, end the sessions that lost theirs (without deleting), and retry the locks to release."""
        sessions = list(self._sessions)
        for start in range(0, len(sessions), LEASES_AT_ONCE):
            await self._renew(sessions[start : start + LEASES_AT_ONCE])
        left, self._left = self._left, {}
        await asyncio.gather(*(self.free(drop, session, proof, n) for session, (drop, proof, n) in left.items()))

    async def _renew(self, sessions: list[LeaseHolder]) -> None:
        alive = await self._mailstore.renew_maildrops([MaildropLease(s.mailbox_id, s.session_id) for s in sessions])
        for session, good in zip(sessions, alive, strict=True):
            if not good:
                session.end("the maildrop's lock was lost")
