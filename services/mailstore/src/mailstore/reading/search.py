"""SEARCH (RFC 3501 6.4.4): keys on columns become one SQL expression; text in bodies is searched afterwards.

Subtrees of a program that columns answer exactly are evaluated in the statement; the rest is evaluated on the bodies
of the candidates that the statement cannot rule out, in bounded batches.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self
from uuid import UUID

from bodystore import BodyStore
from mailkit.errors import OverLimit
from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailstore.mime.search import Searched
from mailstore.model.program import JOINED, Node, asks_modseq, checked, is_exact
from mailstore.model.uids import pack
from mailstore.reading.octets import Octets, grouped
from mailstore.reading.text_index import TextIndex
from mailstore.storage.search import TOO_LONG, Candidate, Keys, SearchRows
from mailstore_api.wire import Found, SearchQuestion

#: Candidates read by one statement.
BATCH = 500
#: Time limit of a search (seconds), checked between messages.
MOST_SECONDS = 20.0
#: Threads for searches only; filing renders large messages in the default executor.
THREADS = 2

Test = Callable[[Candidate, Searched], bool]


class SearchBudget:
    """Time limit of a search, and of what is made of its result. The end of the block ends it early, if its caller no longer waits."""

    def __init__(self) -> None:
        self._end = time.monotonic() + MOST_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end = 0.0

    def left(self) -> float:
        """Return the seconds left. Raises OverLimit if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise OverLimit(TOO_LONG)
        return left


class Searcher:
    """SEARCH in one folder."""

    def __init__(
        self, rows: SearchRows, bodies: BodyStore, octets: Octets, clock: Clock, index: TextIndex | None = None
    ) -> None:
        self._rows = rows
        self._index = index
        self._clock = clock
        self._bodies = bodies
        self._octets = octets
        self._threads = ThreadPoolExecutor(THREADS, "search")

    async def search(self, question: SearchQuestion) -> Found:
        """Return the UIDs that match, ascending. Raises BadRequest for an invalid program, OverLimit and Unavailable."""
        program = checked(question.program)
        folder = question.mailbox_id, question.folder_id
        with SearchBudget() as budget:
            keys = await self._keys(folder)
            if keys is None:
                return Found("gone")
            if is_exact(program):
                found = await self._rows.matching(*folder, keys, program, budget.left)
            else:
                found = await self._scan(keys, program, folder, budget)
            return Found("ok", pack(found), await self.modseq(program, folder, found, budget))

    async def condition(
        self, program: list[Any], folder: tuple[UUID, int], budget: SearchBudget
    ) -> tuple[Keys, str] | None:
        """Return a program as SQL, with its arguments, for a statement about the messages that match; None without the folder."""
        checked(program)
        keys = await self._keys(folder)
        if keys is None:
            return None
        if is_exact(program):
            return keys, keys.exact(program)
        found = await self._scan(keys, program, folder, budget)
        exact = Keys([], self._clock.now())
        return exact, exact.among(found)

    async def modseq(self, program: Node, folder: tuple[UUID, int], found: list[int], budget: SearchBudget) -> int:
        """Return the greatest MODSEQ of the messages found, if the program has a key MODSEQ; else 0 (RFC 7162 3.1.5)."""
        return await self._rows.greatest_modseq(*folder, found, budget.left) if asks_modseq(program) else 0

    async def _keys(self, folder: tuple[UUID, int]) -> Keys | None:
        keywords = await self._rows.keywords(*folder)
        return None if keywords is None else Keys(keywords, self._clock.now(), signed=self._index is not None)

    async def _scan(self, keys: Keys, program: Node, folder: tuple[UUID, int], budget: SearchBudget) -> list[int]:
        condition, test = keys.bound(program), _test(keys, program)
        found: list[int] = []
        loop = asyncio.get_running_loop()
        after = 0
        while True:
            rows = await self._rows.candidates(*folder, keys, condition, after, BATCH, budget.left)
            if self._index is not None and (first := next((row.uid for row in rows if row.unsigned), None)) is not None:
                self._index.want(folder, first)
            for group in grouped(rows):
                size = sum(row.size for row in group)  # above GROUP_BYTES only for a single message
                async with translated(), self._octets.of(folder[0], min(size, self._octets.limit)):
                    bodies = await self._bodies.read_many([row.body_id for row in group])
                    found += await loop.run_in_executor(self._threads, _matching, test, group, bodies, budget)
                    del bodies
            if len(rows) < BATCH:
                return found
            after = rows[-1].uid


def _test(keys: Keys, node: Node) -> Test:
    """Return a function that evaluates `node` on a candidate and its body; exact subtrees are values of the candidate."""
    if is_exact(node):
        name = keys.value(node)
        return lambda row, message: bool(row[name])
    key, *rest = node
    if key == "NOT":
        inner = _test(keys, rest[0])
        return lambda row, message: not inner(row, message)
    if key in JOINED:
        tests = [_test(keys, part) for part in sorted(rest, key=is_exact, reverse=True)]  # columns before bodies
        combine = all if key == "AND" else any
        return lambda row, message: combine(test(row, message) for test in tests)
    if key == "HEADER":
        return lambda row, message: message.header_contains(rest[0], rest[1])
    if key == "BODY":
        return lambda row, message: message.body_contains(rest[0])
    return lambda row, message: message.text_contains(rest[0])


def _matching(test: Test, group: list[Candidate], bodies: dict[UUID, bytes], budget: SearchBudget) -> list[int]:
    found = []
    for row in group:
        budget.left()
        if test(row, Searched(bodies.get(row.body_id, b""), row.parts, row.prefix)):
            found.append(row.uid)
    return found
