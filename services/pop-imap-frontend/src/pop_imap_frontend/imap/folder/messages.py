"""The messages of a folder: UIDs, flags and positions; immutable, and shared by the views of sessions (docs/decisions/0053).

Messages are in chunks. A change makes a new sequence with new chunks in place of those that it touches and the same others; so
a session that has not been sent the change keeps the sequence it knows, at the cost of these chunks.
"""

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from pop_imap_frontend.imap.folder.chunk import MOST_MESSAGES, Chunk, cut, unseen

#: Messages of which flags are applied, and responses made, between two turns of the event loop.
BLOCK = 1000
#: Messages added between two turns, a multiple of a chunk.
_NEW_BLOCK = 16 * MOST_MESSAGES

#: Messages whose flags changed: position, UID, new mask.
Changed = list[tuple[int, int, int]]


def uids_of(packed: bytes) -> "array[int]":
    return array("I", packed)


def masks_of(packed: bytes) -> "array[int]":
    return array("Q", packed)


def blocks(values: "array[int]", size: int = BLOCK) -> "Iterator[array[int]]":
    """Yield `values` in parts of `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


class FolderMessages:
    """Messages in ascending order of their UIDs. Positions are 0-based.

    Finding one takes two bisections. A change costs the chunks it touches, and one entry for each chunk of the folder.
    """

    __slots__ = ("_firsts", "_octets", "_starts", "chunks", "unseen")

    def __init__(self, chunks: Sequence[Chunk] = ()) -> None:
        self.chunks = chunks
        self._starts = [0, *accumulate(map(len, chunks))]
        self._firsts = [chunk.uids[0] for chunk in chunks]
        self.unseen = sum(chunk.unseen for chunk in chunks)
        self._octets: int | None = None

    def __len__(self) -> int:
        return self._starts[-1]

    # -- numbers

    def uid(self, at: int) -> int:
        index = self._index(at)
        return self.chunks[index].uids[at - self._starts[index]]

    def mask(self, at: int) -> int:
        index = self._index(at)
        return self.chunks[index].mask(at - self._starts[index])

    def before(self, uid: int) -> int:
        """Return how many messages have a UID less than `uid`."""
        index = bisect_right(self._firsts, uid) - 1
        return 0 if index < 0 else self._starts[index] + bisect_left(self.chunks[index].uids, uid)

    def position(self, uid: int) -> int | None:
        """Return the position of `uid`; None if it is not here."""
        index = bisect_right(self._firsts, uid) - 1
        at = None if index < 0 else self.chunks[index].position(uid)
        return None if at is None else self._starts[index] + at

    def last_uid(self) -> int:
        """Return the greatest UID; 0 if there is none."""
        return self.chunks[-1].uids[-1] if self.chunks else 0

    def octets(self) -> int:
        """Return about how much memory the messages take."""
        if self._octets is None:
            self._octets = sum(chunk.octets() for chunk in self.chunks)
        return self._octets

    def first_unseen(self) -> int | None:
        """Return the position of the first message without \\Seen; None if all have it."""
        for start, chunk in zip(self._starts, self.chunks, strict=False):
            if chunk.unseen:
                return start + chunk.select(unseen).index(1)
        return None

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, Chunk, slice]]:
        """Yield the messages from position `start` to before `end`: the position of the first, its chunk, the part of the chunk."""
        while start < end:
            index = self._index(start)
            first = self._starts[index]
            last = min(end, self._starts[index + 1])
            yield start, self.chunks[index], slice(start - first, last - first)
            start = last

    def _index(self, at: int) -> int:
        """The index of the chunk with position `at`."""
        if not 0 <= at < len(self):
            raise IndexError(at)
        return bisect_right(self._starts, at) - 1

    # -- changed copies

    def with_flags(self, uids: "array[int]", masks: "array[int]") -> tuple["FolderMessages", Changed]:
        """Return the messages with new `masks` of ascending `uids`, and those that changed. Unknown UIDs are skipped."""
        chunks, changed = list(self.chunks), Changed()
        unseen = octets = 0
        for index, low, high in self._touched(uids):
            chunk, start = chunks[index], self._starts[index]
            if new := chunk.changed(uids[low:high], masks[low:high]):
                chunks[index] = replaced = chunk.with_masks(new)
                unseen += replaced.unseen - chunk.unseen
                octets += replaced.octets() - chunk.octets()
                changed += [(start + at, chunk.uids[at], mask) for at, mask in new.items()]
        return (self._same_uids(chunks, unseen, octets) if changed else self), changed

    def _same_uids(self, chunks: Sequence[Chunk], unseen: int, octets: int) -> "FolderMessages":
        """The same messages in other chunks of the same sizes, with so many more unseen ones and octets: nothing is counted anew."""
        made = FolderMessages.__new__(FolderMessages)
        made.chunks, made._starts, made._firsts = chunks, self._starts, self._firsts
        made.unseen = self.unseen + unseen
        made._octets = None if self._octets is None else self._octets + octets
        return made

    def without(self, uids: "array[int]") -> tuple["FolderMessages", list[int]]:
        """Return the messages without ascending `uids`, and the positions these had. Unknown UIDs are skipped."""
        chunks: list[Chunk | None] = list(self.chunks)
        gone: list[int] = []
        for index, low, high in self._touched(uids):
            chunk, start = self.chunks[index], self._starts[index]
            positions = chunk.positions(uids[low:high])
            if positions:
                chunks[index] = chunk.without(positions)
                gone += [start + at for at in positions]
        return (FolderMessages(_with_small_joined(chunks)) if gone else self), gone

    def with_new(self, uids: "array[int]", masks: "array[int]") -> "FolderMessages":
        """Return the messages and those of ascending `uids` after them; UIDs not beyond the last one are skipped."""
        known = bisect_right(uids, self.last_uid())
        if known:
            uids, masks = uids[known:], masks[known:]
        if not uids:
            return self
        if not self.chunks:
            return FolderMessages(list(cut(uids, masks)))
        *chunks, last = self.chunks
        room = MOST_MESSAGES - len(last)
        if room:
            last = last.joined(Chunk.of(uids[:room], masks[:room]))
        return FolderMessages([*chunks, last, *cut(uids[room:], masks[room:])])

    def _touched(self, uids: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        """Yield, for each chunk that may have some of ascending `uids`, its index and the part of `uids`."""
        low = bisect_left(uids, self._firsts[0]) if self._firsts else len(uids)
        while low < len(uids):
            index = bisect_right(self._firsts, uids[low]) - 1
            last = index + 1 == len(self._firsts)
            high = len(uids) if last else bisect_left(uids, self._firsts[index + 1], low)
            yield index, low, high
            low = high


async def changed_messages(
    messages: FolderMessages, uids: "array[int]", masks: "array[int]", vanished: "array[int]"
) -> FolderMessages:
    """Return `messages` with the changes that mailstore says; the event loop turns after each block.

    `uids` are those of messages new or changed, with their `masks`. All UIDs ascend.
    """
    for gone in blocks(vanished):
        messages, _ = messages.without(gone)
        await asyncio.sleep(0)
    new = bisect_right(uids, messages.last_uid())
    for some, flags in zip(blocks(uids[:new]), blocks(masks[:new]), strict=True):
        messages, _ = messages.with_flags(some, flags)
        await asyncio.sleep(0)
    for some, flags in zip(blocks(uids[new:], _NEW_BLOCK), blocks(masks[new:], _NEW_BLOCK), strict=True):
        messages = messages.with_new(some, flags)
        await asyncio.sleep(0)
    return messages


def _with_small_joined(chunks: Sequence[Chunk | None]) -> list[Chunk]:
    """The chunks that are left, of which two adjacent ones never fit in a quarter of a chunk, so that they stay few."""
    kept: list[Chunk] = []
    for chunk in chunks:
        if chunk is None:
            continue
        if kept and len(kept[-1]) + len(chunk) <= MOST_MESSAGES // 4:
            kept[-1] = kept[-1].joined(chunk)
        else:
            kept.append(chunk)
    return kept
