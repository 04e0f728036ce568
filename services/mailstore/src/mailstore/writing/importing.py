"""Import from another system: folders with their UIDVALIDITY, messages with UIDs, flags, dates, UIDLs (docs/decisions/0105).

A batch is one transaction with the keys of its messages, so a repeated one, or one after a crash, imports nothing twice.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple
from uuid import UUID

from bodystore import BodyStore
from mailkit.errors import BadRequest, NoSpace
from mailkit.ids import new_id
from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailstore import metrics
from mailstore.model.folder_names import INBOX_ID
from mailstore.model.keywords import TooManyKeywords, mask_of
from mailstore.model.uids import LAST_UID
from mailstore.storage.folders import Folder
from mailstore.storage.new_messages import moment, new_message
from mailstore.storage.operations import MailboxTransaction, Operations
from mailstore.writing.append import LAST_SECOND
from mailstore.writing.folder_tree import FolderTree
from mailstore.writing.rendering import render_all
from mailstore_api.wire import (
    KEY,
    LONGEST_UIDL,
    MOST_KEYS,
    SEEN,
    UID_GAP,
    Imported,
    ImportedFolder,
    ImportedMessage,
    ImportFolder,
    ImportList,
    KnownAnswer,
    KnownQuestion,
)


class _New(NamedTuple):
    given: ImportedMessage
    key: UUID
    body_id: UUID
    octets: bytes


class Importer:
    """Writer of what operators import."""

    def __init__(self, operations: Operations, tree: FolderTree, bodies: BodyStore, clock: Clock, disk: Disk) -> None:
        self._operations = operations
        self._tree = tree
        self._bodies = bodies
        self._clock = clock
        self._disk = disk

    async def folder(self, question: ImportFolder) -> ImportedFolder:
        """Make a folder unless it exists; one that never held a message takes the UIDVALIDITY. Raises NotFound, BadRequest."""
        if not (0 <= question.uidvalidity <= LAST_UID and 0 <= question.uidnext <= LAST_UID):
            raise BadRequest("uidvalidity and uidnext are numbers of 32 bits")
        async with self._operations.transaction(question.mailbox_id, self._clock.now()) as transaction:
            status = await self._tree.ensure(transaction, question.name)
            if status != "ok":
                return ImportedFolder("limit" if status == "limit" else "cannot")
            found = await transaction.folders.lock_named(question.name)
            assert found is not None
            # the last ones of 32 bits are left: later folders need greater ones
            if 0 < question.uidvalidity < LAST_UID - UID_GAP:
                uidnext = min(question.uidnext + UID_GAP, LAST_UID)
                if await transaction.imports.adopt(found.folder_id, question.uidvalidity, uidnext):
                    found = await transaction.folders.lock_named(question.name)
                    assert found is not None
            if question.subscribe:
                await self._tree.subscribe_in(transaction, question.name)
            transaction.notify()
        return ImportedFolder("ok", found.folder_id, found.uidvalidity)

    async def known(self, question: KnownQuestion) -> KnownAnswer:
        """Return which keys were imported. Raises BadRequest."""
        keys = _keys(question.keys)
        found = await self._operations.known_imports(question.mailbox_id, keys)
        return KnownAnswer(bytes(key in found for key in keys))

    async def messages(self, head: ImportList, octets: bytes) -> Imported:
        """Import messages whose keys are not known, all or none. Raises BadRequest, NotFound."""
        if self._disk.is_full():
            return Imported("no_space")
        new = _cut(head.messages, octets)
        known = await self._operations.known_imports(head.mailbox_id, [each.key for each in new])
        new = [each for each in new if each.key not in known]
        if not new:
            return Imported("ok")
        bodies = {each.body_id: each.octets for each in new}
        views, now = await render_all(bodies), self._clock.now()
        try:
            async with (
                translated(),
                self._bodies.entering(list(bodies.items()), now) as entering,
                self._operations.transaction(head.mailbox_id, now) as transaction,
            ):
                known = await transaction.imports.known([each.key for each in new])
                new = [each for each in new if each.key not in known]
                target = await transaction.folders.lock(head.folder_id)
                if target is None or not new:
                    return Imported("ok" if target else "gone")
                try:
                    keywords, masks = _masks(target.keywords, new)
                except TooManyKeywords:
                    return Imported("limit")
                await transaction.folders.keep_keywords(target, keywords)
                uids, uidnext = await _uids(transaction, target, head.uidvalidity, new)
                size = sum(len(each.octets) for each in new)
                unseen = sum(1 for mask in masks if not mask & SEEN)
                modseq = await transaction.imports.count(target.folder_id, unseen, size, uidnext, uids)
                await transaction.store_bodies(entering, [(each.body_id, each.octets) for each in new], now)
                rows = [
                    new_message(
                        head.mailbox_id,
                        target.folder_id,
                        uid,
                        each.body_id,
                        b"",
                        len(each.octets),
                        mask,
                        modseq,
                        moment(each.given.internal_date),
                        views[each.body_id],
                        now,
                        open_end=bool(each.octets) and not each.octets.endswith(b"\r\n"),
                    )
                    for each, uid, mask in zip(new, uids, masks, strict=True)
                ]
                uidls = [each.given.uidl or None for each in new] if target.folder_id == INBOX_ID else []
                await transaction.messages.insert(rows, uidls)
                await transaction.imports.keep([each.key for each in new])
                await transaction.add_usage(size)
                transaction.notify()
        except NoSpace:
            return Imported("no_space")
        metrics.CHANGES.labels("imported").inc(len(new))
        wanted = [each.given.uid for each in new]
        renumbered = sum(1 for uid, old in zip(uids, wanted, strict=True) if old and uid != old)
        return Imported("ok", len(new), renumbered)


async def _uids(
    transaction: MailboxTransaction, target: Folder, uidvalidity: int, new: Sequence[_New]
) -> tuple[list[int], int]:
    """Return the UIDs of the messages, their old ones where they are free, and the folder's next UIDNEXT."""
    uidnext = target.uidnext
    wanted = [each.given.uid for each in new if each.given.uid] if target.uidvalidity == uidvalidity else []
    free = set(wanted) - await transaction.imports.taken(target.folder_id, wanted)
    uidnext = max([uidnext, *(uid + 1 for uid in free)])
    uids = []
    for each in new:
        if each.given.uid in free:
            free.discard(each.given.uid)
            uids.append(each.given.uid)
        else:
            uids.append(uidnext)
            uidnext += 1
    return uids, uidnext


def _masks(keywords: Sequence[str], new: Sequence[_New]) -> tuple[Sequence[str], list[int]]:
    """Return the folder's keywords with the new ones, and the masks. Raises TooManyKeywords."""
    masks = []
    for each in new:
        keywords, mask = mask_of(keywords, each.given.flags)
        masks.append(mask)
    return keywords, masks


def _keys(packed: bytes) -> list[UUID]:
    """Cut packed keys. Raises BadRequest."""
    if len(packed) % KEY or len(packed) > KEY * MOST_KEYS:
        raise BadRequest(f"keys have {KEY} octets each, and there are at most {MOST_KEYS}")
    return [UUID(bytes=packed[at : at + KEY]) for at in range(0, len(packed), KEY)]


def _cut(messages: Sequence[ImportedMessage], octets: bytes) -> list[_New]:
    """The messages with their octets, each key once. Raises BadRequest."""
    if any(each.size < 0 for each in messages) or sum(each.size for each in messages) != len(octets):
        raise BadRequest("the sizes are not those of the messages")
    found: dict[UUID, _New] = {}
    for each, (start, end) in zip(messages, pairwise(accumulate((m.size for m in messages), initial=0)), strict=True):
        if wrong := _wrong(each):
            raise BadRequest(wrong)
        key = UUID(bytes=each.key)
        found.setdefault(key, _New(each, key, new_id(), octets[start:end]))
    return list(found.values())


def _wrong(message: ImportedMessage) -> str | Literal[False]:
    if len(message.key) != KEY:
        return f"a key has {KEY} octets"
    if not 0 <= message.internal_date < LAST_SECOND:
        return "no date that IMAP could show"
    if not 0 <= message.uid < LAST_UID:
        return "a UID is a number of 32 bits"
    if len(message.uidl) > LONGEST_UIDL or not all("!" <= char <= "~" for char in message.uidl):
        return f"a UIDL has up to {LONGEST_UIDL} characters from ! to ~"
    return False
