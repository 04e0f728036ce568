"""APPEND and REPLACE: bodies, their first references and the rows, all or none, in one transaction.

RFC 3501 6.3.11, MULTIAPPEND (RFC 3502), REPLACE (RFC 8508), decision 4.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
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
from mailstore.model.uids import split
from mailstore.storage.folders import Folder, FolderRows
from mailstore.storage.new_messages import moment, new_message
from mailstore.storage.operations import MailboxOperation, Operations
from mailstore.writing.expunge import Expunger
from mailstore.writing.quota_warning import QuotaWarner
from mailstore.writing.rendering import render_all
from mailstore_api.wire import SEEN, Append, Appended, AppendedMessage, AppendList

#: The last second of the year 9999: RFC 3501's date-year has four digits.
LAST_SECOND = 253402300799


class _New(NamedTuple):
    body_id: UUID
    octets: bytes
    given: AppendedMessage


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
        expunger: Expunger,
    ) -> None:
        self._operations = operations
        self._bodies = bodies
        self._clock = clock
        self._disk = disk
        self._charge = charge
        self._warner = warner
        self._expunger = expunger

    async def append(self, head: Append, message: bytes) -> Appended:
        """Append one message. Raises as `append_list` does."""
        one = AppendedMessage(len(message), head.flags, head.internal_date)
        quota = head.quota_limit, head.limit_version
        return await self.append_list(AppendList(head.mailbox_id, head.name, [one], *quota, head.operation_id), message)

    async def append_list(self, head: AppendList, octets: bytes) -> Appended:
        """Append messages to a folder, all or none, and remove the one that they replace.

        Raises BadRequest for a date outside 1970 to 9999 and for sizes that are not those of `octets`, and NotFound.
        """
        if self._disk.is_full():
            return Appended("no_space")
        new = _cut(head.messages, octets)
        bodies = {each.body_id: each.octets for each in new}
        views, now = await render_all(bodies), self._clock.now()
        try:
            async with (
                translated(),
                self._bodies.entering(list(bodies.items()), now) as entering,
                self._operations.operation(head.mailbox_id, head.operation_id, Appended, now) as operation,
            ):
                if operation.answered is not None:
                    return operation.answered
                answer = await self._add(operation, entering, head, new, views)
        except NoSpace:
            return Appended("no_space")
        if answer.status == "ok":
            metrics.CHANGES.labels("appended").inc(len(new))
        return answer

    async def _add(
        self,
        operation: MailboxOperation[Appended],
        entering: Entering,
        head: AppendList,
        new: Sequence[_New],
        views: dict[UUID, Rendered],
    ) -> Appended:
        """Append in the transaction of the operation; an answer other than ok comes before its first change."""
        target = await _locked(operation.folders, head)
        if isinstance(target, Appended):
            return target
        account = operation.mailbox.account(self._charge)
        account.learn(Quota(head.quota_limit, head.limit_version))
        if head.replaces is not None:
            source, uid = head.replaces
            old = await operation.messages.totals(source, split([(uid, uid)]))
            if not old.messages:
                return Appended("expunged")
            account.release(old.octets)
        size = sum(len(each.octets) for each in new)
        if lacks := account.lacks(size, len(new)):
            metrics.OVER_LIMIT.labels("append", lacks).inc()
            return Appended("overquota")
        keywords, masks = target.keywords, []
        for each in new:
            try:
                keywords, mask = mask_of(keywords, each.given.flags)
            except TooManyKeywords:
                return Appended("limit")
            masks.append(mask)
        await operation.folders.keep_keywords(target, keywords)
        now = self._clock.now()
        await operation.store_bodies(entering, [(each.body_id, each.octets) for each in new], now)
        unseen = sum(1 for mask in masks if not mask & SEEN)
        uids = await operation.folders.allocate(target.folder_id, len(new), unseen, size)
        await operation.messages.insert(
            [
                new_message(
                    head.mailbox_id,
                    target.folder_id,
                    uids.first_uid + at,
                    each.body_id,
                    b"",
                    len(each.octets),
                    mask,
                    uids.modseq,
                    _date(each.given, now),
                    views[each.body_id],
                    now,
                    open_end=bool(each.octets) and not each.octets.endswith(b"\r\n"),
                )
                for at, (each, mask) in enumerate(zip(new, masks, strict=True))
            ]
        )
        account.take(size, len(new))
        await operation.add_usage(size, account.quota, rearmed=account.rearmed)
        if head.replaces is not None:
            replaced = await operation.folders.lock(head.replaces[0])
            assert replaced is not None
            await self._expunger.remove(operation, replaced, [head.replaces[1]], "imap")
        operation.notify()
        self._warner.see(head.mailbox_id, account)
        return await operation.remember(Appended("ok", target.uidvalidity, uids.first_uid))


async def _locked(folders: FolderRows, head: AppendList) -> Folder | Appended:
    """Lock the folder, and that of the message to replace, in the order of their ids; the answer if one is not there."""
    if head.replaces is None:
        return await folders.lock_named(head.name) or Appended("trycreate")
    wanted = await folders.named(head.name)
    if wanted is None:
        return Appended("trycreate")
    ids = sorted({wanted.folder_id, head.replaces[0]})
    found = {folder_id: await folders.lock(folder_id) for folder_id in ids}
    return (found[wanted.folder_id] if all(found.values()) else None) or Appended("gone")


def _cut(messages: Sequence[AppendedMessage], octets: bytes) -> list[_New]:
    """The messages, each with its octets. Raises BadRequest."""
    if not messages or any(each.size < 0 for each in messages) or sum(each.size for each in messages) != len(octets):
        raise BadRequest("the sizes are not those of the messages")
    if any(each.internal_date is not None and not 0 <= each.internal_date < LAST_SECOND for each in messages):
        raise BadRequest("no date that IMAP could show")
    new, start = [], 0
    for each in messages:
        new.append(_New(new_id(), octets[start : start + each.size], each))
        start += each.size
    return new


def _date(message: AppendedMessage, now: datetime) -> datetime:
    return now if message.internal_date is None else moment(message.internal_date)
