"""Filing: a list of deliveries in one transaction: hand-over ids, quota, UIDs, rendered rows (decisions 3, 4, 5, 7, 8).

A mailbox that another session has locked is skipped, so that mail for other mailboxes does not wait (decision 0034).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from time import time_ns
from typing import NamedTuple
from uuid import UUID

from bodystore import BodyStore
from mailkit.errors import NoSpace, Unavailable
from mailkit.postgres.pool import translated
from mailkit.process import spans
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailkit.rpc.batch import Batcher, send_apart
from mailstore import metrics
from mailstore.mime import Rendered
from mailstore.model.folder_names import INBOX_ID
from mailstore.model.keywords import TooManyKeywords, mask_of
from mailstore.model.quota import Account, Charge, Quota
from mailstore.storage.filing import Filings, FilingTarget, FilingTransaction, StillLocked
from mailstore.storage.new_messages import moment, new_message
from mailstore.writing.quota_warning import QuotaWarner
from mailstore.writing.rendering import render_all
from mailstore_api.wire import SEEN, Filing, FilingAnswer

log = get_logger()

#: Limits of a transaction: items, and octets of its bodies, which are in memory together.
MOST_ITEMS = 500
MOST_BYTES = 8 * 1024 * 1024
#: Lists filed concurrently, so that one that waits does not delay the others.
FLIGHTS = 4
#: The answer if the mailbox stays locked. Every queue-worker knows this status and retries after 1, 2, 4 ... s.
BUSY = FilingAnswer("failed")

Statuses = list[FilingAnswer]


class _Accepted(NamedTuple):
    """A message that is filed: its size with the prefix, its folder, and the mask of its flags."""

    item: Filing
    size: int
    target: FilingTarget
    mask: int


class Filer:
    """Filer of lists; lists that arrive while others are being committed share a transaction."""

    def __init__(
        self, filings: Filings, bodies: BodyStore, clock: Clock, disk: Disk, charge: Charge, warner: QuotaWarner
    ) -> None:
        self._filings = filings
        self._bodies = bodies
        self._clock = clock
        self._disk = disk
        self._charge = charge
        self._warner = warner
        self._lists: Batcher[Sequence[Filing], Statuses] = Batcher(
            self._file_lists, most=50, most_bytes=MOST_ITEMS, size=len, flights=FLIGHTS
        )

    async def file(self, items: Sequence[Filing]) -> Statuses:
        """File a list; one answer per item, in order. Raises Unavailable if the database does not answer: retry the list."""
        return await self._lists.ask(items) if items else []

    async def _file_lists(self, lists: Sequence[Sequence[Filing]]) -> list[Statuses]:
        items = [item for each in lists for item in each]
        if self._disk.is_full():
            answers = [FilingAnswer("no_space") for _ in items]
        else:
            answers = await self._file(items)
        for status, count in Counter("busy" if a is BUSY else a.status for a in answers).items():
            metrics.FILED.labels(status).inc(count)
        given = iter(answers)
        return [[next(given) for _ in each] for each in lists]

    async def _file(self, items: Sequence[Filing]) -> Statuses:
        """File in groups by the sizes of the bodies, so that the memory in use is bounded."""
        async with translated():
            sizes = await self._bodies.sizes([item.body_id for item in items])
        answers: Statuses = []
        for group in _groups(items, sizes):
            answers += await self._attempt(group)
        return answers

    async def _attempt(self, items: Sequence[Filing]) -> Statuses:
        """One answer per item; an item that cannot be filed fails alone. Raises Unavailable."""
        answers = await send_apart(self._transaction, items)
        return [_answered(item, answer) for item, answer in zip(items, answers, strict=True)]

    async def _transaction(self, items: Sequence[Filing]) -> Statuses:
        began = time_ns()
        with metrics.FILING_SECONDS.time():
            async with translated():
                answers = await self._commit(items)
        metrics.BATCH.observe(len(items))
        for item, answer in zip(items, answers, strict=True):
            spans.record(
                "file", item.traceparent, began, queue_id=item.queue_id.hex, status=answer.status, items=len(items)
            )
        return answers

    async def _commit(self, items: Sequence[Filing]) -> Statuses:
        bodies = await self._bodies.read_many([item.body_id for item in items])
        views = await render_all(bodies)
        answers = await self._transact(items, bodies, views)
        for in_line in (True, False):  # locked mailboxes: wait for all their locks, else file those free by now
            busy = [at for at, answer in enumerate(answers) if answer is None]
            if not busy:
                break
            try:
                again = await self._transact([items[at] for at in busy], bodies, views, in_line=in_line)
            except StillLocked:
                if in_line:
                    continue
                raise
            for at, answer in zip(busy, again, strict=True):
                answers[at] = answer
        return [answer or BUSY for answer in answers]

    async def _transact(
        self, items: Sequence[Filing], bodies: dict[UUID, bytes], views: dict[UUID, Rendered], *, in_line: bool = False
    ) -> list[FilingAnswer | None]:
        """File in one transaction; None for an item whose mailbox another session has locked, for which nothing was done."""
        ids = {item.mailbox_id for item in items}
        async with (
            self._bodies.sharing(list(bodies)) as sharing,
            self._filings.in_line(ids) if in_line else self._filings.free(ids, self._clock.now()) as transaction,
        ):
            alive = await transaction.alive(sharing)
            places = {(item.mailbox_id, item.folder) for item in items if item.folder or item.flags}
            kept = {
                key for key, mailbox in transaction.mailboxes.items() if not mailbox.purged
            }  # the others have no folders
            places = {place for place in places if place[0] in kept}
            targets = await transaction.targets(places, wait=in_line)
            filed = await transaction.filed([(item.queue_id, item.mailbox_id) for item in items])
            inboxes = {each.mailbox_id: each for each in targets.values() if each and each.folder_id == INBOX_ID}
            accounts = {key: mailbox.account(self._charge) for key, mailbox in transaction.mailboxes.items()}
            answers: list[FilingAnswer | None] = []
            accepted: list[_Accepted] = []
            for item in items:
                mailbox = transaction.mailboxes.get(item.mailbox_id)
                if mailbox is None or ((place := (item.mailbox_id, item.folder)) in targets and not targets[place]):
                    answers.append(None)
                    continue
                account = accounts[item.mailbox_id]
                account.learn(Quota(item.quota_limit, item.limit_version))
                if (item.queue_id, item.mailbox_id) in filed:
                    answers.append(FilingAnswer("already"))
                elif mailbox.purged:
                    answers.append(FilingAnswer("gone"))
                elif item.body_id not in alive or item.body_id not in bodies:
                    answers.append(FilingAnswer("failed"))
                elif (lacks := account.lacks(size := len(item.prefix) + len(bodies[item.body_id]))) and not item.exempt:
                    metrics.OVER_LIMIT.labels("filing", lacks).inc()
                    answers.append(FilingAnswer("full"))
                else:
                    account.take(size)
                    filed.add((item.queue_id, item.mailbox_id))
                    target = targets.get(place) or inboxes.setdefault(
                        item.mailbox_id, FilingTarget(item.mailbox_id, INBOX_ID)
                    )
                    accepted.append(_accepted(item, size, target))
                    answers.append(FilingAnswer("filed"))
            if accepted:
                await _insert(transaction, accepted, views, accounts, self._clock.now())
            for mailbox_id, account in accounts.items():
                self._warner.see(mailbox_id, account)
        metrics.FILED_BYTES.inc(sum(each.size for each in accepted))
        for item, size, target, _ in accepted:
            log.info("filed", queue_id=item.queue_id, mailbox_id=item.mailbox_id, size=size, folder_id=target.folder_id)
        return answers


def _answered(item: Filing, answer: FilingAnswer | Exception) -> FilingAnswer:
    if isinstance(answer, FilingAnswer):
        return answer
    if isinstance(answer, NoSpace):
        return FilingAnswer("no_space")
    if isinstance(answer, Unavailable):
        raise answer
    report(answer, "file", queue_id=item.queue_id)
    return FilingAnswer("failed")


def _accepted(item: Filing, size: int, target: FilingTarget) -> _Accepted:
    """Count a message that is filed towards its folder. A keyword for which the folder has no bit left is not set."""
    mask = 0
    for flag in item.flags:
        try:
            target.keywords, bit = mask_of(target.keywords, [flag])
        except TooManyKeywords:
            continue
        mask |= bit
    target.new += 1
    target.unseen += not mask & SEEN
    target.octets += size
    return _Accepted(item, size, target, mask)


async def _insert(
    transaction: FilingTransaction,
    accepted: list[_Accepted],
    views: dict[UUID, Rendered],
    accounts: dict[UUID, Account],
    now: datetime,
) -> None:
    """Insert the rows of the accepted items; their mailboxes are locked.

    INTERNALDATE is never in the future, though the clock of a queue-worker may be ahead (RFC 3501 2.3.3: when received).
    """
    ids = sorted({each.item.mailbox_id for each in accepted})
    targets = {(each.target.mailbox_id, each.target.folder_id): each.target for each in accepted}
    given = await transaction.allocate(
        [(mailbox_id, accounts[mailbox_id]) for mailbox_id in ids], [targets[key] for key in sorted(targets)]
    )
    uids = {(each.mailbox_id, each.folder_id): each.first_uid for each in given}
    modseqs = {(each.mailbox_id, each.folder_id): each.modseq for each in given}
    new = []
    for item, size, target, mask in accepted:
        key = target.mailbox_id, target.folder_id
        uid = uids[key]
        uids[key] = uid + 1
        date = min(moment(item.received_at), now)
        new.append(
            new_message(
                target.mailbox_id,
                target.folder_id,
                uid,
                item.body_id,
                item.prefix,
                size,
                mask,
                modseqs[key],
                date,
                views[item.body_id],
                now,
            )
        )
    hand_overs = [(each.item.queue_id, each.item.mailbox_id) for each in accepted]
    await transaction.insert(new, hand_overs, [each.item.body_id for each in accepted], now)
    transaction.notify(ids)


def _groups(items: Sequence[Filing], sizes: dict[UUID, int]) -> Iterator[Sequence[Filing]]:
    """`items` in order, in groups whose bodies are within the limits together (a single one may be larger)."""
    start, total = 0, 0
    seen: set[UUID] = set()
    for at, item in enumerate(items):
        size = 0 if item.body_id in seen else sizes.get(item.body_id, 0)
        if at > start and (total + size > MOST_BYTES or at - start >= MOST_ITEMS):
            yield items[start:at]
            start, total, seen, size = at, 0, set(), sizes.get(item.body_id, 0)
        total += size
        seen.add(item.body_id)
    yield items[start:]
