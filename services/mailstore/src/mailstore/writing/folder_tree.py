"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 6.3.3 to 6.3.7), each in one operation that locks the mailbox."""

from collections.abc import Awaitable, Callable
from typing import Literal

from mailkit.process.clock import Clock
from mailstore.model.folder_names import INBOX_ID, SPECIAL_USES, below, good_name, parents
from mailstore.model.uids import LAST_UID, Bounds
from mailstore.storage.operations import MailboxTransaction, Operations
from mailstore.writing.copy import copy_messages
from mailstore.writing.expunge import Expunger
from mailstore_api.wire import (
    DELIMITER,
    MOST_ANNOTATION_OCTETS,
    MOST_ANNOTATIONS,
    FolderChange,
    FolderChanged,
    SpecialFolder,
)

MOST_FOLDERS = 1000
MOST_SUBSCRIPTIONS = 2000
#: All UIDs.
EVERYTHING: Bounds = [1], [LAST_UID]

Status = Literal["ok", "nonexistent", "alreadyexists", "cannot", "limit", "haschildren", "useattr"]


class FolderTree:
    """Changes of the folder hierarchy and of subscriptions."""

    def __init__(self, operations: Operations, clock: Clock, expunger: Expunger) -> None:
        self._operations = operations
        self._clock = clock
        self._expunger = expunger

    async def create(self, change: FolderChange) -> FolderChanged:
        """Create a folder and the levels above it (RFC 3501 6.3.3)."""

        async def do(transaction: MailboxTransaction) -> Status:
            return await self._create(transaction, change.name)

        return await self._change(change, do, creates=True)

    async def create_special(self, change: SpecialFolder) -> FolderChanged:
        """Create a folder with a special use that no other folder has (RFC 6154 3)."""

        async def do(transaction: MailboxTransaction) -> Status:
            special_use = SPECIAL_USES.get(change.special_use.lower())
            if special_use is None or special_use in await transaction.folders.special_uses():
                return "useattr"
            return await self._create(transaction, change.name, special_use)

        return await self._change(change, do, creates=True)

    async def delete(self, change: FolderChange) -> FolderChanged:
        """Delete a folder and its messages; its children stay, below a name that cannot be selected (RFC 3501 6.3.4)."""

        async def do(transaction: MailboxTransaction) -> Status:
            folder = await transaction.folders.lock_named(change.name)
            if folder is None:
                names = await transaction.folders.ids()
                return "haschildren" if below(change.name, names) else "nonexistent"
            if folder.folder_id == INBOX_ID:
                return "cannot"
            uids, _ = await transaction.messages.flags(folder.folder_id, EVERYTHING)
            if uids:
                await self._expunger.remove(transaction, folder, uids, "imap")
            await transaction.folders.drop(folder.folder_id)
            await transaction.annotations.drop(folder.folder_id)
            return "ok"

        return await self._change(change, do)

    async def rename(self, change: FolderChange) -> FolderChanged:
        """Rename a folder and its children; of INBOX only the messages move to the new folder (RFC 3501 6.3.5)."""

        async def do(transaction: MailboxTransaction) -> Status:
            old, new = change.name, change.new_name
            names = await transaction.folders.ids()
            is_inbox = names.get(old) == INBOX_ID
            moved = [] if is_inbox else below(old, names)
            if old not in names and not moved:
                return "nonexistent"
            if not is_inbox and (new + DELIMITER).startswith(old + DELIMITER):
                return "cannot"
            targets = {name: new + name[len(old) :] for name in [*moved, *([old] if old in names else [])]}
            if not good_name(new) or not all(map(good_name, targets.values())):
                return "cannot"
            if new in names or any(target in names for target in targets.values()):
                return "alreadyexists"
            if is_inbox:
                return await self._rename_inbox(transaction, new)
            parent = new.rpartition(DELIMITER)[0]
            if parent and parent not in names and (made := await self._make(transaction, parent)) != "ok":
                return made
            for name, target in targets.items():
                await transaction.folders.rename(names[name], target)
            return "ok"

        return await self._change(change, do)

    async def _rename_inbox(self, transaction: MailboxTransaction, new: str) -> Status:
        sizes = await transaction.annotations.sizes()
        copied = [each for each in sizes if each.folder_id == INBOX_ID]
        if len(sizes) + len(copied) > MOST_ANNOTATIONS:
            return "limit"
        if sum(each.octets for each in [*sizes, *copied]) > MOST_ANNOTATION_OCTETS:
            return "limit"
        made = await self._make(transaction, new)
        if made != "ok":
            return made
        inbox = await transaction.folders.lock(INBOX_ID)
        target = await transaction.folders.lock_named(new)
        assert inbox is not None and target is not None
        if copied:  # INBOX keeps its own (RFC 5464 4.1)
            await transaction.annotations.copy(INBOX_ID, target.folder_id)
        totals = await transaction.messages.totals(INBOX_ID, EVERYTHING)
        if totals.messages:
            await transaction.add_usage(totals.octets)  # the move subtracts it again
            await copy_messages(transaction, inbox, target, EVERYTHING, totals, self._clock.now(), move=True)
        return "ok"

    async def subscribe(self, change: FolderChange) -> FolderChanged:
        """Subscribe a name, which need not exist (yet, or any more: RFC 3501 6.3.6)."""

        async def do(transaction: MailboxTransaction) -> Status:
            if not good_name(change.name):
                return "cannot"
            if await transaction.folders.subscriptions() >= MOST_SUBSCRIPTIONS:
                return "limit"
            await transaction.folders.subscribe(change.name)
            return "ok"

        return await self._change(change, do)

    async def unsubscribe(self, change: FolderChange) -> FolderChanged:
        async def do(transaction: MailboxTransaction) -> Status:
            await transaction.folders.unsubscribe(change.name)
            return "ok"

        return await self._change(change, do)

    async def ensure(self, transaction: MailboxTransaction, name: str) -> Status:
        """Create a folder in another change's transaction, unless it exists; a level above that is missing stays so."""
        names = await transaction.folders.ids()
        if name in names:
            return "ok"
        if not good_name(name):
            return "cannot"
        if len(names) >= MOST_FOLDERS:
            return "limit"
        await transaction.folders.create(name, int(self._clock.timestamp()))
        return "ok"

    async def subscribe_in(self, transaction: MailboxTransaction, name: str) -> None:
        """Subscribe a name, in another change's transaction, unless there are too many."""
        if await transaction.folders.subscriptions() < MOST_SUBSCRIPTIONS:
            await transaction.folders.subscribe(name)

    async def _create(self, transaction: MailboxTransaction, name: str, special_use: str = "") -> Status:
        if not good_name(name):
            return "cannot"
        if name in await transaction.folders.ids():
            return "alreadyexists"
        return await self._make(transaction, name, special_use)

    async def _make(self, transaction: MailboxTransaction, name: str, special_use: str = "") -> Status:
        """Create `name` and the missing levels above it, which have no special use."""
        names = await transaction.folders.ids()
        missing = [level for level in [*parents(name), name] if level not in names]
        if len(names) + len(missing) > MOST_FOLDERS:
            return "limit"
        for one in missing:
            use = special_use if one == name else ""
            await transaction.folders.create(one, int(self._clock.timestamp()), use)
        return "ok"

    async def _change(
        self,
        change: FolderChange | SpecialFolder,
        do: Callable[[MailboxTransaction], Awaitable[Status]],
        *,
        creates: bool = False,
    ) -> FolderChanged:
        async with self._operations.operation(
            change.mailbox_id, change.operation_id, FolderChanged, self._clock.now()
        ) as operation:
            if operation.answered is not None:
                return operation.answered
            answer = FolderChanged(await do(operation))
            if answer.status == "ok":
                if creates:
                    answer = FolderChanged("ok", (await operation.folders.ids())[change.name])
                operation.notify()
                await operation.remember(answer)
            return answer
