"""SORT and THREAD (RFC 5256): a search, and its result in an order or as trees of replies."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from mailkit.errors import BadRequest, OverLimit
from mailstore.mime.compared import compared
from mailstore.model.threads import ALGORITHMS, Threaded
from mailstore.model.uids import pack
from mailstore.reading.search import SearchBudget, Searcher
from mailstore.storage.sort import THREAD_SLICE, Computed, SortRows, UnfilledEnvelope
from mailstore_api.wire import SORT_KEYS, Found, SortQuestion, ThreadQuestion, Threads

#: Limit of the messages of a THREAD: what is compared of each takes about a kilobyte of memory.
MOST_THREADED = 200_000
#: Limit of the rows whose keys are computed for one command; those of further rows count as empty (decision 0059).
MOST_COMPUTED = 100_000
#: THREAD commands that are computed at once in a replica.
AT_ONCE = 2

_KEYS = frozenset(SORT_KEYS) | {f"-{each}" for each in SORT_KEYS}


class Sorter:
    """SORT and THREAD in one folder, within the time limit of a search."""

    def __init__(self, rows: SortRows, searcher: Searcher) -> None:
        self._rows = rows
        self._searcher = searcher
        self._threads = ThreadPoolExecutor(AT_ONCE, "thread")
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def sort(self, question: SortQuestion) -> Found:
        """Return the UIDs that match, sorted. Raises BadRequest for an invalid program or key, OverLimit and Unavailable."""
        if not question.keys or not _KEYS.issuperset(question.keys):
            raise BadRequest("not a sort key")
        folder = question.mailbox_id, question.folder_id
        with SearchBudget() as budget:
            found = await self._searcher.condition(question.program, folder, budget)
            if found is None:
                return Found("gone")
            computed = await self._computed(folder, budget)
            uids = await self._rows.sorted(folder, *found, question.keys, computed, budget.left)
            return Found("ok", pack(uids), await self._searcher.modseq(question.program, folder, uids, budget))

    async def thread(self, question: ThreadQuestion) -> Threads:
        """Return the threads of the messages that match. Raises as `sort`, and OverLimit for more than MOST_THREADED messages."""
        folder = question.mailbox_id, question.folder_id
        with SearchBudget() as budget:
            found = await self._searcher.condition(question.program, folder, budget)
            if found is None:
                return Threads("gone")
            keys, condition = found
            computed = await self._computed(folder, budget)
            async with self._turns:
                messages: list[Threaded] = []
                while True:
                    after = messages[-1].uid if messages else 0
                    part = await self._rows.threaded(folder, keys, condition, computed, after, budget.left)
                    messages += part
                    if len(messages) > MOST_THREADED:
                        raise OverLimit(f"a THREAD takes at most {MOST_THREADED} messages; look in fewer")
                    if len(part) < THREAD_SLICE:
                        break
                loop = asyncio.get_running_loop()
                tree = await loop.run_in_executor(self._threads, ALGORITHMS[question.algorithm], messages)
            return Threads("ok", pack(tree.uids), pack(tree.depths))

    async def _computed(self, folder: tuple[UUID, int], budget: SearchBudget) -> Computed:
        """The keys of rows that upkeep has not filled in yet, from their ENVELOPE."""
        found: list[tuple[object, ...]] = []
        after = 0
        while len(found) < MOST_COMPUTED:
            rows = await self._rows.unfilled(*folder, after, budget.left)
            if not rows:
                break
            found += await asyncio.to_thread(_values, rows)
            after = rows[-1].uid
        return found


def _values(rows: Sequence[UnfilledEnvelope]) -> list[tuple[object, ...]]:
    return [row.computed(compared(row.envelope)) for row in rows]
