"""The order of a folder that a front end keeps, after any changes, against one that is sorted anew."""

import random
from array import array
from collections.abc import Collection

import pytest

from mailstore_api.wire import Order
from pop_imap_frontend.imap.folder import chunk, order
from pop_imap_frontend.imap.folder import messages as folder_messages
from pop_imap_frontend.imap.folder.messages import FolderMessages
from pop_imap_frontend.imap.folder.order import FolderOrder, read_order


class Folder:
    """Messages with a value each, and questions about them."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.values: dict[int, int] = {}
        self.asked: list[int] = []

    def in_order(self, uids: Collection[int]) -> list[int]:
        return sorted(uids, key=lambda uid: (self.values[uid] * (-1 if self.key.startswith("-") else 1), uid))

    async def ask(self, after: int) -> Order:
        self.asked.append(after)
        found = self.in_order([uid for uid in self.values if uid > after])
        values = array("q", [self.values[uid] for uid in found])
        return Order("ok", array("I", found).tobytes(), values.tobytes())


def added(messages: FolderMessages, uids: list[int]) -> FolderMessages:
    return messages.with_new(array("I", uids), array("Q", [0] * len(uids)))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (chunk, folder_messages):
        monkeypatch.setattr(module, "MOST_MESSAGES", 8)
    monkeypatch.setattr(order, "BLOCK", 3)


@pytest.mark.parametrize("key", ["SIZE", "-DATE"])
async def test_an_order_follows_the_folder(key: str) -> None:
    folder, rng, messages, uid = Folder(key), random.Random(3), FolderMessages(), 0
    known: FolderOrder | None = None
    kept = 0
    for _ in range(400):
        new = [uid := uid + rng.choice((1, 1, 60_000)) for _ in range(rng.choice((0, 0, 1, 2, 5)))]
        for each in new:
            folder.values[each] = rng.randint(-5, 5) * 10**12
        gone = rng.sample(sorted(folder.values), min(len(folder.values), rng.choice((0, 0, 1, 2, 5))))
        for each in gone:
            del folder.values[each]
        messages = added(messages, new).without(array("I", sorted(gone)))[0]
        if rng.random() < 0.3:
            continue  # more changes at once
        before = known
        known = None if before is None else await before.of(messages, folder.ask)
        kept += known is not None
        known = known or await read_order(key, messages, folder.ask)
        assert known is not None and known.uids.tolist() == folder.in_order(folder.values)
        some = set(rng.sample(sorted(folder.values), len(folder.values) // 3))
        assert list(await known.chosen(some, out=False)) == folder.in_order(some)
        assert list(await known.chosen(some, out=True)) == folder.in_order(folder.values.keys() - some)
    assert kept > 200 and folder.asked.count(0) < 20


async def test_messages_that_came_or_went_meanwhile() -> None:
    folder = Folder("SIZE")
    messages = added(FolderMessages(), [1, 2, 3])
    folder.values = {1: 9, 2: 5, 3: 7, 4: 1}
    known = await read_order("SIZE", messages, folder.ask)
    assert known is not None and known.uids.tolist() == [2, 3, 1]
    del folder.values[2]
    assert await read_order("SIZE", messages, folder.ask) is None  # as many as the view has, but not the same ones
    folder.values[5] = 6
    found = await known.of(added(messages, [4]), folder.ask)
    assert found is not None and found.uids.tolist() == [4, 2, 3, 1]
    assert await found.of(messages, folder.ask) is not None  # the same without the last one
    assert await known.of(added(messages, [4, 6]), folder.ask) is None  # 6 is gone already
    fewer = messages.without(array("I", [1]))[0]
    shorter = await known.of(fewer, folder.ask)
    assert shorter is not None and await shorter.of(messages, folder.ask) is None  # messages of an earlier time


async def test_many_changes_are_not_followed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "MOST_CHANGED", 3)
    monkeypatch.setattr(order, "MOST_CHUNKS", 4)
    folder = Folder("SIZE")
    uids = list(range(1, 200))
    folder.values = {uid: uid * 37 % 50 for uid in uids}
    messages = added(FolderMessages(), uids)
    known = await read_order("SIZE", messages, folder.ask)
    assert known is not None
    for gone, follows in (([1, 2, 3], True), ([1, 2, 3, 4], False), ([1, 50, 150], False)):
        fewer = messages.without(array("I", gone))[0]
        assert (await known.of(fewer, folder.ask) is not None) is follows
    assert folder.asked == [0]
