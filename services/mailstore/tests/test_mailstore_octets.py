"""What one replica has in memory for readers: a bound for all, shares by mailbox, a line that is fair and ends."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from mailkit.errors import OverLimit, Unavailable
from mailkit.ids import new_id
from mailkit.testing.speed import patient, until
from mailstore import metrics
from mailstore.reading import folders, octets
from mailstore.reading.octets import Octets
from mailstore_api.wire import ChangesQuestion, FetchQuestion, OpenFolder, ReadMaildrop, SearchQuestion, Section

from .conftest import ALL, message, uids

A, B, C = (new_id() for _ in range(3))


class Reads:
    """Reads of a budget, which hold what they take until the test ends them."""

    def __init__(self, budget):
        self.budget = budget
        self.order = []
        self.ends = {}
        self.tasks = {}

    async def begin(self, name, mailbox_id, amount):
        self.ends[name] = asyncio.Event()

        async def read():
            async with self.budget.of(mailbox_id, amount):
                self.order.append(name)
                await self.ends[name].wait()

        self.tasks[name] = asyncio.create_task(read())
        for _ in range(5):
            await asyncio.sleep(0)

    async def end(self, *names):
        for name in names:
            self.ends[name].set()
            await self.tasks[name]
        for _ in range(5):
            await asyncio.sleep(0)


async def test_mailboxes_take_turns_and_none_passes_a_large_read():
    reads = Reads(Octets(800))
    for n in range(8):
        await reads.begin(f"a{n}", A, 100)  # a share is 100: one at a time
    await reads.begin("b", B, 700)
    await reads.begin("large", C, 750)
    await reads.begin("b2", B, 50)
    assert reads.order == ["a0", "b"] and reads.budget.taken == 800
    await reads.end("a0")
    assert reads.order == ["a0", "b", "a1"]  # in line before the others
    await reads.end("a1")
    assert reads.order == ["a0", "b", "a1"]  # the large one is next, and is waited for
    await reads.end("b")
    assert reads.order[3:] == ["b2", "large"]
    await reads.end("large")
    assert reads.order[5:] == ["a2"]
    for n in range(2, 8):
        await reads.end(f"a{n}")
    await reads.end("b2")
    assert reads.budget.taken == 0 and not reads.budget._lines


async def test_who_waits_too_long_or_comes_too_late_is_unavailable(monkeypatch):
    budget = Octets(800, patience=0.01)
    refused = metrics.READ_WAITS.labels("refused")
    before = refused._value.get()
    async with budget.of(A, 800):
        with pytest.raises(Unavailable):
            async with budget.of(B, 1):
                pass
        monkeypatch.setattr(octets, "MOST_WAITING", 0)
        with pytest.raises(Unavailable):
            async with budget.of(B, 1):
                pass
    with pytest.raises(OverLimit):
        async with budget.of(B, 801):
            pass
    assert refused._value.get() == before + 2 and budget.taken == 0 and not budget._lines


async def test_a_read_that_is_cancelled_in_line_leaves_it():
    reads = Reads(Octets(800))
    await reads.begin("first", A, 800)
    await reads.begin("gone", B, 400)
    await reads.begin("next", C, 400)
    reads.tasks["gone"].cancel()
    await reads.end("first")
    assert reads.order == ["first", "next"]
    await reads.end("next")
    assert reads.budget.taken == 0 and not reads.budget._lines


async def test_every_way_of_reading_a_body_is_counted(store, mailbox_id):
    await store.deliver(mailbox_id, *[message(size=200_000)] * 3)
    steps = store.parts.steps
    budget = steps.fetcher._octets
    assert steps.retriever._octets is budget and steps.searcher._octets is budget
    budget._patience = 0.05
    whole = FetchQuestion(mailbox_id, 1, ALL, [], [Section()], pieces=True)

    async def fetched():
        return [frame async for frame in store.front.fetch_pieces(whole)]

    async def retrieved():
        return b"".join([piece async for piece in store.front.read_maildrop(ReadMaildrop(mailbox_id, 1, 1))])

    async def searched():
        return await store.front.search(SearchQuestion(mailbox_id, 1, ["TEXT", "xxxx"]))

    for read in (fetched, retrieved, searched):
        assert await read()
        async with AsyncExitStack() as others:
            await others.enter_async_context(budget.of(A, budget.limit - 1000))
            with pytest.raises(Unavailable):
                await read()
        assert await read()
    async with asyncio.timeout(patient(10)):
        while budget.taken:
            await asyncio.sleep(0.01)


async def test_folders_read_whole_are_counted_and_few_changes_of_known_ones_are_not(store, mailbox_id):
    await store.deliver(mailbox_id, message(), message())
    budget = store.parts.steps.folders._octets
    known = await store.open(mailbox_id)
    async with budget.of(A, budget.limit):
        opening = asyncio.create_task(store.open(mailbox_id))
        question = OpenFolder(mailbox_id, "INBOX", True, known_folder_id=1, known_modseq=known.highest_modseq)
        assert (await store.front.open_folder(question)).since == known.highest_modseq
        await until(lambda: budget._waiting == 1)
        assert not opening.done()
    assert (await opening).uids == known.uids
    assert budget.taken == 0


@pytest.mark.parametrize("expunged", [False, True], ids=["changed", "expunged"])
async def test_many_changes_are_counted_before_they_are_read(store, mailbox_id, monkeypatch, expunged):
    monkeypatch.setattr(folders, "FEW_CHANGES", 3)
    await store.deliver(mailbox_id, *[message()] * 5)
    budget = store.parts.steps.folders._octets
    since = (await store.open(mailbox_id)).highest_modseq
    await store.store(mailbox_id, [(1, 2)], "add", "\\Deleted")
    async with budget.of(A, budget.limit):
        assert uids((await store.front.changes(ChangesQuestion(mailbox_id, 1, since))).uids) == [1, 2]
        await store.store(mailbox_id, [(1, 5)], "add", "\\Deleted", "\\Seen")
        if expunged:
            await store.expunge(mailbox_id, [(1, 4)])
        asking = asyncio.create_task(store.front.changes(ChangesQuestion(mailbox_id, 1, since)))
        await until(lambda: budget._waiting == 1)
        assert not asking.done()
    answer = await asking
    assert uids(answer.uids) == ([5] if expunged else [1, 2, 3, 4, 5])
    assert uids(answer.vanished) == ([1, 2, 3, 4] if expunged else [])
    assert budget.taken == 0
