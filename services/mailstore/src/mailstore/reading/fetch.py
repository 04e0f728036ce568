"""FETCH as a stream of frames: the rows a question asks for, in slices, with columns as rendered (decision 7)."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import asyncpg
import msgspec

from mailkit.postgres.pool import translated
from mailstore import metrics
from mailstore.reading.octets import Octets
from mailstore.reading.sections import SPAN, Large, Sections
from mailstore.storage.store import split, sql
from mailstore_api.wire import FetchQuestion, Ranges

#: Limit of the rows in a frame, and its approximate size in octets.
SLICE = 1000
FRAME_BYTES = 1024 * 1024
#: Octets of a row's rendered columns above which it is found by `has_big_rows` (schema.py).
BIG = 65536

_COLUMNS = {
    "ENVELOPE": "r.envelope",
    "BODY": "r.body",
    "BODYSTRUCTURE": "r.bodystructure",
    "RFC822.SIZE": "m.size",
    "INTERNALDATE": "floor(extract(epoch from m.internaldate))::bigint",
}
_NEEDED = "m.body_id, m.prefix, m.size, r.parts"
_encode = msgspec.msgpack.Encoder().encode


class Reader:
    """Reader of a folder's rows."""

    def __init__(self, pool: asyncpg.Pool, sections: Sections, octets: Octets) -> None:
        self._pool = pool
        self._sections = sections
        self._octets = octets

    async def fetch(self, question: FetchQuestion) -> AsyncGenerator[bytes, None]:
        """Yield encoded frames of rows [uid, *columns, *sections].

        Raises BadRequest for ranges out of order, Unavailable if the replica is reading too much, and OverLimit for a row
        above its limit.
        """
        split(question.ranges)  # raises for ranges out of order
        names = ["m.uid", *(_COLUMNS[column] for column in question.columns), *([_NEEDED] if question.sections else [])]
        async with translated():
            if any("r." in name for name in names):
                is_plain = len(question.ranges) == 1 and not question.sections and not await self._has_big(question)
                frames = self._cut_by_weight(question, names) if is_plain else self._weighed(question, ", ".join(names))
                async with aclosing(frames):
                    async for frame in frames:
                        yield frame
                return
            statements = [each.replace("$columns", ", ".join(names)) for each in (sql.fetch, sql.fetch_some)]
            async for rows, _ in self._slices(question, statements):
                metrics.ROWS.inc(len(rows))
                for answer in _cut(rows):
                    yield _frame(answer)

    async def _has_big(self, question: FetchQuestion) -> bool:
        low, high = question.ranges[0]
        return bool(await self._pool.fetchval(sql.has_big_rows, question.mailbox_id, question.folder_id, low, high))

    async def _cut_by_weight(self, question: FetchQuestion, names: list[str]) -> AsyncGenerator[bytes, None]:
        """Yield frames of a range without big rows: their common case needs no look at their lengths first."""
        statement = sql.fetch_cut.replace("$columns", ", ".join(name.replace("r.", "m.") for name in names))
        low, high = question.ranges[0]
        while low <= high:
            async with self._octets.of(question.mailbox_id, FRAME_BYTES + BIG) as share:
                rows = await self._pool.fetch(
                    statement, question.mailbox_id, question.folder_id, low, high, SLICE, FRAME_BYTES
                )
                if not rows:
                    return
                metrics.ROWS.inc(len(rows))
                share.keep(_held(rows))
                for answer in _cut(rows):
                    yield _frame(answer)
            low = rows[-1][0] + 1

    async def _weighed(self, question: FetchQuestion, names: str) -> AsyncGenerator[bytes, None]:
        """Yield frames of rows that may be large: their size is counted before they are read."""
        alone, together = (each.replace("$columns", names) for each in (sql.fetch_wide, sql.fetch_some_wide))
        where, columns = (question.mailbox_id, question.folder_id), 1 + len(question.columns)
        most, weigh = self._sections.weight(question.sections, FRAME_BYTES, pieces=question.pieces)
        async for planned, is_one_range in self._slices(question, [sql.weights, sql.weights_some]):
            weights = [row["weight"] + weigh(row["size"]) for row in planned]
            for start, end in _shares(weights, most):
                uids = [row["uid"] for row in planned[start:end]]
                async with self._octets.of(question.mailbox_id, sum(weights[start:end])) as share:
                    if is_one_range:
                        rows = await self._pool.fetch(alone, *where, uids[0], uids[-1], len(uids))
                    else:
                        rows = await self._pool.fetch(together, *where, uids, uids, len(uids))
                    metrics.ROWS.inc(len(rows))
                    answers: Sequence[Any] = rows
                    if question.sections:
                        values = await self._sections.read(rows, question.sections, pieces=question.pieces)
                        answers = [(*tuple(row)[:columns], *value) for row, value in zip(rows, values, strict=True)]
                    share.keep(_held(answers))
                    async for frame in _frames(answers):
                        yield frame

    async def _slices(
        self, question: FetchQuestion, statements: Sequence[str]
    ) -> AsyncIterator[tuple[list[asyncpg.Record], bool]]:
        """Yield rows, SLICE at a time, and whether they are of one range; `statements` are for one range and for several."""
        alone, together = statements
        where = question.mailbox_id, question.folder_id
        for ranges in _groups(question.ranges, SLICE):
            if len(ranges) > 1:
                rows = await self._pool.fetch(together, *where, *split(ranges), SLICE)
                if rows:
                    yield rows, False
                continue
            low, high = ranges[0]
            while low <= high:
                rows = await self._pool.fetch(alone, *where, low, high, SLICE)
                if rows:
                    yield rows, True
                if len(rows) < SLICE:
                    break
                low = rows[-1][0] + 1


def _shares(weights: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Bounds that divide rows of these weights into shares of one row or of at most `most`."""
    start, total = 0, 0
    for at, weight in enumerate(weights):
        if at > start and total + weight > most:
            yield start, at
            start, total = at, 0
        total += weight
    if weights:
        yield start, len(weights)


def _held(answers: Sequence[Any]) -> int:
    """Octets of rows in memory; of large values only one span at a time."""
    total, large = 0, 0
    for row in answers:
        for value in row:
            if isinstance(value, bytes):
                total += len(value)
            elif type(value) is Large:
                large = SPAN
    return total + large


def _groups(ranges: Ranges, most: int) -> Iterator[Ranges]:
    """Long ranges alone, short ones in groups of at most `most` UIDs."""
    group: Ranges = []
    total = 0
    for low, high in ranges:
        width = high - low + 1
        if group and total + width > most:
            yield group
            group, total = [], 0
        group.append((low, high))
        total += width
    if group:
        yield group


def _cut(rows: Sequence[Any]) -> Iterator[list[Any]]:
    """Slices of rows of about FRAME_BYTES: most rows are short, but some are not."""
    answer: list[Any] = []
    total = 0
    for row in map(tuple, rows):
        size = sum([len(value) for value in row if type(value) is bytes])
        total += size
        if total > FRAME_BYTES and answer:
            yield answer
            answer, total = [], size
        answer.append(row)
    yield answer


async def _frames(rows: Sequence[Any]) -> AsyncIterator[bytes]:
    """Yield frames of rows; after a row with large sections, their pieces (`FetchQuestion.pieces`)."""
    start = 0
    for at, row in enumerate(rows):
        large = [value for value in row if type(value) is Large]
        if not large:
            continue
        shown = tuple(value.size if type(value) is Large else value for value in row)
        for answer in _cut([*rows[start:at], shown]):
            yield _frame(answer)
        for value in large:
            async for piece in value.pieces():
                yield _frame(piece)
        start = at + 1
    if start < len(rows):
        for answer in _cut(rows[start:]):
            yield _frame(answer)


def _frame(content: list[Any] | bytes) -> bytes:
    data = _encode(content)
    return len(data).to_bytes(4, "big") + data
