"""APPEND: the body, its first reference and the row in one transaction (RFC 3501 6.3.11, decision 4)."""

from uuid import UUID

from bodystore import BodyStore, Entering
from mailkit.errors import BadRequest, NoSpace
from mailkit.ids import new_id
from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailstore import metrics
from mailstore.mime import Rendered
from mailstore.model.keywords import TooManyKeywords, mask_of
from mailstore.model.quota import Charge, Quota
from mailstore.storage.new_messages import moment, new_message
from mailstore.storage.operations import MailboxOperation, Operations
from mailstore.writing.quota_warning import QuotaWarner
from mailstore.writing.rendering import render_one
from mailstore_api.wire import SEEN, Append, Appended

#: The last second of the year 9999: RFC 3501's date-year has four digits.
LAST_SECOND = 253402300799


class Appender:
    """Writer of messages that sessions append."""

    def __init__(
        self,
        operations: Operations,
        bodies: BodyStore,
        clock: Clock,
        disk: Disk,
        charge: Charge,
        warner: QuotaWarner,
    ) -> None:
        self._operations = operations
        self._bodies = bodies
        self._clock = clock
        self._disk = disk
        self._charge = charge
        self._warner = warner

    async def append(self, head: Append, message: bytes) -> Appended:
        """Append `message` to the folder. Raises BadRequest for a date outside 1970 to 9999, and NotFound."""
        if self._disk.is_full():
            return Appended("no_space")
        if head.internal_date is not None and not 0 <= head.internal_date < LAST_SECOND:
            raise BadRequest("no date that IMAP could show")
        view = await render_one(message)
        body_id, now = new_id(), self._clock.now()
        try:
            async with (
                translated(),
                self._bodies.entering([(body_id, message)], now) as entering,
                self._operations.operation(head.mailbox_id, head.operation_id, Appended, now) as operation,
            ):
                if operation.answered is not None:
                    return operation.answered
                answer = await self._add(operation, entering, head, body_id, message, view)
        except NoSpace:
            return Appended("no_space")
        if answer.status == "ok":
            metrics.CHANGES.labels("appended").inc()
        return answer

    async def _add(
        self,
        operation: MailboxOperation[Appended],
        entering: Entering,
        head: Append,
        body_id: UUID,
        message: bytes,
        view: Rendered,
    ) -> Appended:
        """Append in the transaction of the operation."""
        folder = await operation.folders.lock_named(head.name)
        if folder is None:
            return Appended("trycreate")
        account = operation.mailbox.account(self._charge)
        account.learn(Quota(head.quota_limit, head.limit_version))
        if lacks := account.lacks(len(message)):
            metrics.OVER_LIMIT.labels("append", lacks).inc()
            return Appended("overquota")
        try:
            keywords, mask = mask_of(folder.keywords, head.flags)
        except TooManyKeywords:
            return Appended("limit")
        await operation.folders.keep_keywords(folder, keywords)
        now = self._clock.now()
        await operation.store_bodies(entering, [(body_id, message)], now)
        given = await operation.folders.allocate(folder.folder_id, 1, 0 if mask & SEEN else 1, len(message))
        date = now if head.internal_date is None else moment(head.internal_date)
        await operation.messages.insert(
            new_message(
                head.mailbox_id,
                folder.folder_id,
                given.first_uid,
                body_id,
                b"",
                len(message),
                mask,
                given.modseq,
                date,
                view,
                now,
                open_end=bool(message) and not message.endswith(b"\r\n"),
            )
        )
        account.take(len(message))
        await operation.add_usage(len(message), account.quota, rearmed=account.rearmed)
        operation.notify()
        self._warner.see(head.mailbox_id, account)
        return await operation.remember(Appended("ok", folder.uidvalidity, given.first_uid))
