"""Import of the messages of one mailbox into mailstore: what is not there yet, in batches that can be repeated."""

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from mailkit.errors import Unanswered, Unavailable
from mailstore_api.admin import MailstoreAdmin
from mailstore_api.wire import (
    MOST_IMPORTED,
    MOST_KEYS,
    ImportedMessage,
    ImportFolder,
    ImportList,
    KnownQuestion,
)
from postrider.moving.meter import Meter
from postrider.moving.notes import Notes

T = TypeVar("T")

#: Octets of one batch; a larger message travels alone.
BATCH = 4 << 20
#: Batches of a mailbox that are under way: one is stored while the next one is read and rendered.
AT_ONCE = 2
#: Seconds between tries while mailstore is away.
RETRIES = (1, 2, 4, 8, 15, 30)

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f/\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """A message of another system. `source`: what a later run knows it by; `read` returns its octets, None if it cannot be read."""

    source: bytes
    path: str
    uid: int
    flags: list[str]
    uidl: str
    read: Callable[[], tuple[bytes, float] | None]


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """A folder of another system. `levels` is empty for INBOX; `uidvalidity` 0: it has none."""

    levels: tuple[str, ...]
    uidvalidity: int
    uidnext: int
    subscribed: bool
    messages: Sequence[SourceMessage]


class MailImport:
    """Imports folders into one mailbox. `renumbered` counts messages that could not keep their UIDs."""

    def __init__(self, client: MailstoreAdmin, mailbox_id: UUID, notes: Notes, meter: Meter, most: int) -> None:
        """`most`: octets of the largest message that mailstore takes."""
        self._client = client
        self._mailbox_id = mailbox_id
        self._notes = notes
        self._meter = meter
        self._most = most
        self.taken = 0
        self.known = 0
        self.renumbered = 0

    async def folder(self, folder: SourceFolder, where: str) -> None:
        """Import a folder; `where` names it in notes. Raises the errors of MailstoreAdmin."""
        name = folder_name(folder.levels)
        asked = ImportFolder(self._mailbox_id, name, folder.uidvalidity, folder.uidnext, folder.subscribed)
        made = await _patiently(lambda: self._client.import_folder(asked))
        if made.status != "ok":
            reason = "folders whose name cannot be used here" if made.status == "cannot" else "more than 1,000 folders"
            self._notes.add("no place", where, reason)
            return
        if folder.uidvalidity and made.uidvalidity != folder.uidvalidity:
            self._notes.add("changed", where, "has a new UIDVALIDITY: clients download it again")
        new = await self._unknown(folder.messages)
        self._meter.add(len(folder.messages) - len(new))
        self.known += len(folder.messages) - len(new)
        under_way: set[asyncio.Task[None]] = set()
        try:
            for batch in self._batches(new):
                head = ImportList(self._mailbox_id, made.folder_id, folder.uidvalidity, [each for each, _ in batch])
                octets = b"".join(data for _, data in batch)
                in_order = not all(each.uid for each, _ in batch)  # new UIDs in the order of the messages
                while under_way and (in_order or len(under_way) >= AT_ONCE):
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                under_way.add(asyncio.create_task(self._send(head, octets, where)))
                await asyncio.sleep(0)
            for task in under_way:
                await task
        finally:
            for task in under_way:
                task.cancel()

    async def _unknown(self, messages: Sequence[SourceMessage]) -> list[SourceMessage]:
        new: list[SourceMessage] = []
        for start in range(0, len(messages), MOST_KEYS):
            some = messages[start : start + MOST_KEYS]
            question = KnownQuestion(self._mailbox_id, b"".join(_key(each.source) for each in some))
            known = await _patiently(lambda question=question: self._client.known_imports(question))  # type: ignore[misc]
            new += [each for each, is_known in zip(some, known, strict=True) if not is_known]
        return new

    def _batches(self, messages: Sequence[SourceMessage]) -> Iterator[list[tuple[ImportedMessage, bytes]]]:
        batch: list[tuple[ImportedMessage, bytes]] = []
        size = 0
        for each in messages:
            found = self._prepared(each)
            if found is None:
                self._meter.add()
                continue
            if batch and (
                len(batch) >= MOST_IMPORTED
                or size + len(found[1]) > BATCH
                or bool(batch[-1][0].uid) != bool(found[0].uid)
            ):
                yield batch
                batch, size = [], 0
            batch.append(found)
            size += len(found[1])
        if batch:
            yield batch

    def _prepared(self, message: SourceMessage) -> tuple[ImportedMessage, bytes] | None:
        found = message.read()
        if found is None:
            return None
        data, date = found
        if b"\0" in data:
            self._notes.add("changed", message.path, "NULs, which IMAP cannot send, become octets 128")
            data = data.replace(b"\0", b"\x80")
        data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if len(data) > self._most:
            self._notes.add("no place", message.path, f"messages above {self._most:,} octets")
            return None
        return ImportedMessage(len(data), _key(message.source), date, message.uid, message.flags, message.uidl), data

    async def _send(self, head: ImportList, octets: bytes, where: str) -> None:
        answer = await _patiently(lambda: self._client.import_messages(head, octets))
        if answer.status == "no_space":
            raise Unavailable("mailstore's disk is full")
        if answer.status != "ok":
            why = "it was deleted during the import" if answer.status == "gone" else "it has too many keywords"
            self._notes.add("no place", where, f"messages of a folder: {why}")
        self.taken += answer.taken
        self.known += len(head.messages) - answer.taken if answer.status == "ok" else 0
        self.renumbered += answer.renumbered
        self._meter.add(len(head.messages))


def folder_name(levels: Sequence[str]) -> str:
    """Return the name here of a folder: no `/` or control characters in a level, and INBOX is only INBOX."""
    names = [_FORBIDDEN.sub("_", level).strip() or "_" for level in levels]
    names = ["_" if name in (".", "..") else name for name in names]
    if not names:
        return "INBOX"
    if names[0].upper() == "INBOX":
        names[0] = f"{names[0]}_"
    return "/".join(names)


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call while mailstore is away; every one of them can be repeated. Raises the last error."""
    for seconds in RETRIES:
        try:
            return await call()
        except (Unavailable, Unanswered):
            await asyncio.sleep(seconds)
    return await call()


def _key(source: bytes) -> bytes:
    return hashlib.blake2b(source, digest_size=16).digest()


def now() -> float:
    """Return the time in seconds since the epoch."""
    return time.time()
