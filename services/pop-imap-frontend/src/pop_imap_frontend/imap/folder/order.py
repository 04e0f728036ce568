"""The messages of a folder in the order of a number that never changes, kept for SORT (RFC 5256; docs/decisions/0109)."""

import asyncio
from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from itertools import compress, filterfalse, pairwise
from operator import neg
from sys import getsizeof

from mailstore_api.wire import Order
from pop_imap_frontend.imap.folder.messages import FolderMessages

#: Limit of the messages that are taken out of an order or put into it; after more changes it is read anew.
MOST_CHANGED = 200
#: Limit of the chunks whose UIDs are compared for that.
MOST_CHUNKS = 20
#: Messages that are looked at between two turns of the event loop.
BLOCK = 10_000
#: Octets of a UID.
_UID = 4

#: Asks mailstore for the messages above a UID in the order.
Ask = Callable[[int], Awaitable[Order]]


class FolderOrder:
    """All of `messages` in the order of `key`, one of ORDER_KEYS, with `-` before it for REVERSE; immutable."""

    __slots__ = ("_compared", "_packed", "key", "messages")

    def __init__(self, key: str, messages: FolderMessages, packed: bytes, compared: "array[int]") -> None:
        self.key = key
        self.messages = messages
        self._packed = packed
        self._compared = compared

    def octets(self) -> int:
        """Return about how much memory this takes, without the messages."""
        return getsizeof(self._packed) + getsizeof(self._compared)

    @property
    def uids(self) -> "memoryview[int]":
        """The UIDs in order."""
        return memoryview(self._packed).cast("I")

    async def chosen(self, uids: set[int], *, out: bool) -> "array[int]":
        """Return those of `uids` in order, or with `out` all others."""
        found, ordered = array("I"), self.uids
        for low in range(0, len(ordered), BLOCK):
            part = ordered[low : low + BLOCK].tolist()
            found.extend(filterfalse(uids.__contains__, part) if out else filter(uids.__contains__, part))
            await asyncio.sleep(0)
        return found

    async def of(self, messages: FolderMessages, ask: Ask) -> "FolderOrder | None":
        """Return the order of other messages of the folder; None if it has to be read anew, or they are those of an earlier time."""
        last_uid = self.messages.last_uid()
        differences = _differences(self.messages, messages)
        if differences is None:
            return None
        gone, new = differences
        if len(gone) + len(new) > MOST_CHANGED or (new and min(new) <= last_uid):
            return None
        order = self if not gone else await self._without(sorted(gone), messages)
        if new:
            answer = await ask(last_uid)
            return order._with(answer, new, messages) if answer.status == "ok" else None
        return order if order.messages is messages else FolderOrder(self.key, messages, order._packed, order._compared)

    async def _without(self, gone: list[int], messages: FolderMessages) -> "FolderOrder":
        places = []
        for uid in gone:
            octets = array("I", (uid,)).tobytes()
            at = self._packed.index(octets)
            while at % _UID:  # octets of two UIDs
                at = self._packed.index(octets, at + 1)
            places.append(at // _UID)
            await asyncio.sleep(0)
        packed, compared = bytearray(), array("q")
        for before, after in pairwise([-1, *sorted(places), len(self._compared)]):
            packed += self._packed[(before + 1) * _UID : after * _UID]
            compared += self._compared[before + 1 : after]
        return FolderOrder(self.key, messages, bytes(packed), compared)

    def _with(self, answer: Order, new: set[int], messages: FolderMessages) -> "FolderOrder | None":
        """The order with those of `answer` that are `new`, all of whose UIDs are greater; None if `answer` has not all of them."""
        packed, compared = bytearray(), array("q")
        down, start, found = self.key.startswith("-"), 0, 0
        for uid, value in zip(array("I", answer.uids), array("q", answer.values), strict=True):
            if uid not in new:  # arrived since
                continue
            found += 1
            at = bisect_right(self._compared, -value if down else value, start, key=neg if down else None)
            packed += self._packed[start * _UID : at * _UID] + array("I", (uid,)).tobytes()
            compared += self._compared[start:at]
            compared.append(value)
            start = at
        packed += self._packed[start * _UID :]
        compared += self._compared[start:]
        return FolderOrder(self.key, messages, bytes(packed), compared) if found == len(new) else None


async def read_order(key: str, messages: FolderMessages, ask: Ask) -> FolderOrder | None:
    """Return the order of `messages` as mailstore says it; None if it has not all of them any more, or cannot say it.

    What it has up to their last UID is among them: UIDs are committed in their order (docs/decisions/0008).
    """
    answer = await ask(0)
    if answer.status != "ok":
        return None
    uids, values, last_uid = array("I", answer.uids), array("q", answer.values), messages.last_uid()
    known, compared = array("I"), array("q")
    for low in range(0, len(uids), BLOCK):
        part, of_part = uids[low : low + BLOCK], values[low : low + BLOCK]
        if max(part) > last_uid:  # arrived since
            old = [uid <= last_uid for uid in part]
            part, of_part = array("I", compress(part, old)), array("q", compress(of_part, old))
        known += part
        compared += of_part
        await asyncio.sleep(0)
    return FolderOrder(key, messages, known.tobytes(), compared) if len(known) == len(messages) else None


def _differences(before: FolderMessages, after: FolderMessages) -> tuple[set[int], set[int]] | None:
    """The UIDs of `before` that are not in `after`, and the other way round; None if too much is to be looked at for that.

    Chunks with the same UIDs share the object that has them.
    """
    here = {id(chunk.uids): chunk.uids for chunk in before.chunks}
    there = {id(chunk.uids): chunk.uids for chunk in after.chunks}
    left = [here[key] for key in here.keys() - there.keys()]
    came = [there[key] for key in there.keys() - here.keys()]
    if len(left) + len(came) > MOST_CHUNKS:
        return None
    old, new = {uid for uids in left for uid in uids}, {uid for uids in came for uid in uids}
    return old - new, new - old
