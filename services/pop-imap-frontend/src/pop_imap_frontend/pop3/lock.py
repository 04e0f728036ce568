"""The lock of one session's maildrop: taken at the login, released at QUIT or at the end of the session (decision 8)."""

import asyncio
from uuid import UUID

from auth_api.wire import LoginAnswer
from mailkit.errors import InternalError, NotFound, PostriderError, Unanswered, Unavailable
from mailkit.ids import new_id
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import ClosedMaildrop, CloseMaildrop, Maildrop, OpenMaildrop
from pop_imap_frontend.pop3 import refusals
from pop_imap_frontend.pop3.leases import MaildropLeases
from pop_imap_frontend.pop3.refusals import Away, Refused


class MaildropLock:
    """The lock of one session, which mailstore knows by `session_id`."""

    def __init__(self, mailstore: MailstoreClient, leases: MaildropLeases) -> None:
        self.session_id = new_id()
        self._mailstore = mailstore
        self._leases = leases
        self._mailbox_id = UUID(int=0)
        self._held = False  # or it may be: mailstore did not answer

    async def take(self, login: LoginAnswer, ends: float) -> Maildrop:
        """Lock the maildrop before the deadline `ends` and return its messages. Raises Refused, or Away: it may be locked."""
        assert login.mailbox_id is not None
        self._mailbox_id = login.mailbox_id
        try:
            async with asyncio.timeout_at(ends):
                drop = await self._mailstore.open_maildrop(
                    OpenMaildrop(self._mailbox_id, self.session_id, proof=login.proof)
                )
        except (Unanswered, TimeoutError):
            self._held = True
            raise Away from None
        except NotFound:
            raise Refused(refusals.REFUSED) from None  # removed since auth was asked
        except PostriderError:
            raise Away from None
        self._held = drop.status == "ok"
        if not self._held:
            raise Refused(refusals.IN_USE)
        return drop

    async def remove(self, uids: bytes) -> bool:
        """Remove messages (packed UIDs) and release the lock; return False if it was lost and nothing was removed.

        A call whose answer was lost is retried once; mailstore then repeats its first answer. Raises Unanswered if it is
        not known whether the messages were removed, and other errors of mailstore.
        """
        question = CloseMaildrop(self._mailbox_id, self.session_id, uids)
        try:
            closed = await self._close(question)
        except NotFound:
            self._held = False
            return False
        self._held = False
        return closed.status == "ok"

    async def _close(self, question: CloseMaildrop) -> ClosedMaildrop:
        try:
            return await self._mailstore.close_maildrop(question)
        except Unanswered:
            try:
                return await self._mailstore.close_maildrop(question)
            except (Unavailable, InternalError) as error:
                raise Unanswered(str(error)) from error

    async def free(self, proof: bytes) -> None:
        """Release the lock of a session that ends without QUIT, if it is held; nothing is removed."""
        if self._held:
            await self._leases.free(self._mailbox_id, self.session_id, proof)
