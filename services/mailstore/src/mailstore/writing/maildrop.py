"""The maildrop of a POP3 session: a lock with a lease, a snapshot, and the removal at QUIT (RFC 1939 4, 6)."""

from array import array
from collections.abc import Sequence
from datetime import timedelta

from mailkit.process.clock import Clock
from mailstore.model.folder_names import INBOX_ID
from mailstore.model.uids import pack
from mailstore.storage.maildrop import LeaseRows
from mailstore.storage.operations import Operations
from mailstore.writing.expunge import Expunger
from mailstore_api.wire import ClosedMaildrop, CloseMaildrop, Maildrop, MaildropLease, OpenMaildrop

LEASE = timedelta(seconds=60)


class Maildrops:
    """INBOX as POP3 uses it."""

    def __init__(self, operations: Operations, leases: LeaseRows, clock: Clock, expunger: Expunger) -> None:
        self._operations = operations
        self._leases = leases
        self._clock = clock
        self._expunger = expunger

    async def open(self, question: OpenMaildrop) -> Maildrop:
        """Lock the maildrop and return its snapshot; a repeated call by the same session gets both again. Raises NotFound."""
        now = self._clock.now()
        async with self._operations.transaction(question.mailbox_id, now) as transaction:
            if not await transaction.maildrop.take(question.session_id, now, now + LEASE):
                return Maildrop("in_use")
            folder = await transaction.folders.lock(INBOX_ID)
            assert folder is not None
            uids, sizes, uidls = await transaction.maildrop.messages()
        named = "\n".join([uidl or "" for uidl in uidls]).encode() if any(uidls) else b""
        return Maildrop("ok", folder.uidvalidity, pack(uids), pack(sizes), INBOX_ID, named)

    async def renew(self, items: Sequence[MaildropLease]) -> list[bool]:
        """Renew leases; return for each whether the session still has it."""
        now = self._clock.now()
        leases = [(item.mailbox_id, item.session_id) for item in items]
        renewed = await self._leases.renew(leases, now, now + LEASE)
        return [lease in renewed for lease in leases]

    async def close(self, question: CloseMaildrop) -> ClosedMaildrop:
        """Remove the messages marked by the session and release the lock, fenced by the session, in one transaction.

        The session's id is the operation id: a repeated close gets the answer of the first (decision 3).
        """
        session_id, now = question.session_id, self._clock.now()
        uids = list(array("I", question.uids))
        async with self._operations.operation(question.mailbox_id, session_id, ClosedMaildrop, now) as operation:
            if operation.answered is not None:
                return operation.answered
            if not await operation.maildrop.release(session_id, now):
                # remembered: an open that arrives after its close must not take the lock
                return await operation.remember(ClosedMaildrop("lost"))
            if not uids:
                return ClosedMaildrop("ok")
            inbox = await operation.folders.lock(INBOX_ID)
            assert inbox is not None
            removed, _ = await self._expunger.remove(operation, inbox, uids, "pop3")
            return await operation.remember(ClosedMaildrop("ok", removed))
