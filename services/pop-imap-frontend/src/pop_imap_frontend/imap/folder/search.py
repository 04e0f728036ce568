"""SEARCH by flags, sets and INTERNALDATE alone, which is answered by what is known of the folder (RFC 3501 6.4.4)."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import compress
from typing import Any

from mailstore_api.wire import FIRST_KEYWORD_BIT, SYSTEM_FLAGS, Ranges
from pop_imap_frontend.imap.folder.chunk import MOST_MESSAGES, Chunk
from pop_imap_frontend.imap.folder.days import FolderDays, days_of
from pop_imap_frontend.imap.folder.view import FolderView

_ALL = b"\1" * MOST_MESSAGES
#: Limit of the keys on INTERNALDATE that are answered here: each looks at the messages of a chunk one by one.
MOST_DAY_KEYS = 10
_JOINED = ("AND", "OR", "NOT")
_DAY_KEYS = ("BEFORE", "ON", "SINCE")

Node = list[Any]


class ViewResults:
    """Messages found in a view; their numbers are listed only where they are asked for."""

    def __init__(self) -> None:
        self._found: list[tuple[int, Chunk, bytes]] = []
        """The position of the first message of a chunk, the chunk, and an octet for each message, 1 if it was found."""
        self._ends: list[int] = []
        self._count = 0

    def add(self, start: int, chunk: Chunk, octets: bytes) -> None:
        if count := octets.count(1):
            self._count += count
            self._found.append((start, chunk, octets))
            self._ends.append(self._count)

    def __len__(self) -> int:
        return self._count

    def numbers(self, low: int, high: int, *, by_uid: bool) -> Sequence[int]:
        """Return the UIDs, or the sequence numbers, of those from index `low` to before `high`."""
        found: list[int] = []
        index = bisect_right(self._ends, low)
        before = self._ends[index - 1] if index else 0
        skipped = low - before
        for start, chunk, octets in self._found[index:]:
            if len(found) >= skipped + high - low:
                break
            found += compress(chunk.uids if by_uid else range(start + 1, start + 1 + len(chunk)), octets)
        return found[skipped : skipped + high - low]


def resolved(program: Node, view: FolderView) -> Node | None:
    """Return `program`, which is as in SearchQuestion, for `from_view`; None if it has a key that the view cannot answer."""
    names = [*SYSTEM_FLAGS, *view.names.keywords]
    bits = [*SYSTEM_FLAGS.values(), *(1 << (FIRST_KEYWORD_BIT + place) for place in range(len(view.names.keywords)))]
    node = _resolved(program, {name.lower(): bit for name, bit in zip(names, bits, strict=True)})
    return None if node is None or day_keys(node) > MOST_DAY_KEYS else node


def day_keys(node: Node) -> int:
    """Return the number of keys on INTERNALDATE of a resolved program."""
    return sum(map(day_keys, node[1:])) if node[0] in _JOINED else int(node[0] == "DAYS")


async def from_view(node: Node, view: FolderView, days: FolderDays) -> ViewResults:
    """Return what a resolved program finds, ascending. The event loop turns after some chunks."""
    found = ViewResults()
    at = 0
    for chunk in view.messages.chunks:
        found.add(at, chunk, _Search(chunk, days).selected(node).to_bytes(len(chunk), "little"))
        at += len(chunk)
        await asyncio.sleep(0)
    return found


def _resolved(node: Node, bits: dict[str, int]) -> Node | None:
    """The program with bits in place of flags, 0 for a keyword that the folder does not have; None if it has another key."""
    name = node[0]
    if name == "FLAG":
        return [name, bits.get(node[1].lower(), 0)]
    if name in _DAY_KEYS:
        return ["DAYS", *days_of(name, node[1])]
    if name in _JOINED:
        parts = [_resolved(part, bits) for part in node[1:]]
        return None if None in parts else [name, *parts]
    return node if name in ("ALL", "UID") else None


class _Search:
    """A search of one chunk. A set of messages is a number with an octet for each message, 1 if it is in the set."""

    def __init__(self, chunk: Chunk, days: FolderDays) -> None:
        self._chunk = chunk
        self._days = days
        self._all = int.from_bytes(_ALL[: len(chunk)], "little")
        self._flags: dict[int, int] = {}

    def selected(self, node: Node) -> int:
        """Return the messages that `node` finds. A program has at most 50 levels."""
        name = node[0]
        if name == "NOT":
            return self._all ^ self.selected(node[1])
        if name == "AND":
            found = self._all
            for part in node[1:]:
                found &= self.selected(part)
            return found
        if name == "OR":
            found = 0
            for part in node[1:]:
                found |= self.selected(part)
            return found
        if name == "FLAG":
            return self._with(node[1])
        if name == "DAYS":
            return int.from_bytes(self._days.select(self._chunk.uids, *node[1:]), "little")
        return self._all if name == "ALL" else self._in(node[1])

    def _with(self, bit: int) -> int:
        if bit not in self._flags:
            self._flags[bit] = int.from_bytes(self._chunk.select(lambda mask: bool(mask & bit)), "little")
        return self._flags[bit]

    def _in(self, ranges: Ranges) -> int:
        """The messages with UIDs in ascending `ranges`."""
        uids = self._chunk.uids
        selected = bytearray(len(uids))
        index = bisect_left(ranges, uids[0], key=lambda each: each[1])
        for low, high in ranges[index : bisect_right(ranges, uids[-1], key=lambda each: each[0])]:
            start, end = bisect_left(uids, low), bisect_right(uids, high)
            selected[start:end] = _ALL[: end - start]
        return int.from_bytes(selected, "little")
