"""Leases of the maildrops that this process has locked, renewed together every 20 s (decision 8)."""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

from mailkit.errors import NotFound, PostriderError
from mailkit.logs import get_logger
from mailkit.report import report
from mailstore_client.client import MailstoreClient
from mailstore_client.wire import LEASES_AT_ONCE, CloseMaildrop, MaildropLease

if TYPE_CHECKING:
    from pop_imap_frontend.pop3.session import Pop3Session

log = get_logger()

#: Attempts to release a lock, 20 s apart; after the last one its lease (60 s) has expired.
MOST_TRIES = 4


class Leases:
    """Sessions with a locked maildrop, and locks that could not be released yet."""

    def __init__(self, mailstore: MailstoreClient) -> None:
        self._mailstore = mailstore
        self._sessions: set[Pop3Session] = set()
        self._left: dict[UUID, tuple[UUID, bytes, int]] = {}

    def add(self, session: "Pop3Session") -> None:
        self._sessions.add(session)

    def remove(self, session: "Pop3Session") -> None:
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

    async def _renew(self, sessions: "list[Pop3Session]") -> None:
        alive = await self._mailstore.renew_maildrops([MaildropLease(s.mailbox_id, s.session_id) for s in sessions])
        for session, good in zip(sessions, alive, strict=True):
            if not good:
                session.end("the maildrop's lock was lost")
