"""The POP3 locks of this process: renewed together every 20 s (decision 8)."""

from typing import TYPE_CHECKING

from mailstore_client.client import MailstoreClient
from mailstore_client.wire import MaildropLease

if TYPE_CHECKING:
    from pop_imap_frontend.pop3.session import Pop3Session


class Leases:
    """Sessions that hold a maildrop."""

    def __init__(self, mailstore: MailstoreClient) -> None:
        self._mailstore = mailstore
        self._sessions: set[Pop3Session] = set()

    def add(self, session: "Pop3Session") -> None:
        self._sessions.add(session)

    def remove(self, session: "Pop3Session") -> None:
        self._sessions.discard(session)

    async def renew(self) -> None:
        """One call for all; a session that lost its lease must end without deleting."""
        sessions = list(self._sessions)
        if not sessions:
            return
        alive = await self._mailstore.renew_maildrops([MaildropLease(s.mailbox_id, s.session_id) for s in sessions])
        for session, good in zip(sessions, alive, strict=True):
            if not good:
                session.end("the maildrop's lock was lost")
