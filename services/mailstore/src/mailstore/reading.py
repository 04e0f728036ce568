"""FETCH as a stream of frames: which rows a question asks for, in slices, columns as they were rendered (decision 7)."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any

import asyncpg
import msgspec

from mailkit.db import translated
from mailstore import metrics
from mailstore.sections import Large, Sections
from mailstore.storage.store import split, sql
from mailstore_client.wire import Column, FetchQuestion, Ranges

#: Rows in a frame, and about how many octets.
SLICE = 1000
FRAME_BYTES = 1024 * 1024
#: Rows in a slice where some row is big (`has_big_rows`): up to 2 MB each, made on purpose by somebody.
SLICE_OF_BIG = 4

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
    """Reads rows of one folder."""

    def __init__(self, pool: asyncpg.Pool, sections: Sections) -> None:
        self._pool = pool
        self._sections = sections

    async def fetch(self, question: FetchQuestion) -> AsyncGenerator[bytes, None]:
        """Frames of rows [uid, *columns, *sections], ready for the wire."""
        split(question.ranges)  # refuses what is not in order
        async with translated():
            async for rows in self._slices(question):
                metrics.ROWS.inc(len(rows))
                if question.sections:
                    async for group in self._with_sections(rows, question):
                        async for frame in _frames(group):
                            yield frame
                else:
                    for answer in _cut(rows):
                        yield _frame(answer)

    async def _slices(self, question: FetchQuestion) -> AsyncIterator[list[asyncpg.Record]]:
        """The rows, a slice at a time."""
        where = question.mailbox_id, question.folder_id
        alone, together, is_wide = _statements(question.columns, bool(question.sections))
        most = SLICE
        if is_wide and question.ranges:
            ends = question.ranges[0][0], question.ranges[-1][1]
            most = SLICE_OF_BIG if await self._pool.fetchval(sql.has_big_rows, *where, *ends) else SLICE
        for ranges in _groups(question.ranges, most):
            if len(ranges) > 1:
                rows = await self._pool.fetch(together, *where, *split(ranges), most)
                if rows:
                    yield rows
                continue
            low, high = ranges[0]
            while low <= high:
                rows = await self._pool.fetch(alone, *where, low, high, most)
                if rows:
                    yield rows
                if len(rows) < most:
                    break
                low = rows[-1][0] + 1

    async def _with_sections(self, rows: list[asyncpg.Record], question: FetchQuestion) -> AsyncIterator[list[Any]]:
        """Rows grouped so that the bodies in memory stay within bounds."""
        start, total = 0, 0
        sections, columns = question.sections, len(question.columns)
        most, weigh = self._sections.weight(sections, FRAME_BYTES)
        for at in range(len(rows) + 1):
            size = weigh(rows[at]["size"]) if at < len(rows) else 0
            if at > start and (at == len(rows) or total + size > most):
                group = rows[start:at]
                values = await self._sections.read(group, sections, pieces=question.pieces)
                yield [
                    (*tuple(row)[: 1 + columns], *value) for row, value in zip(group, values, strict=True)
                ]  # fmt: skip
                start, total = at, 0
            total += size


def _statements(columns: list[Column], with_sections: bool) -> tuple[str, str, bool]:
    """(for one range, for several short ones), with the columns in the order they were asked for; are they wide?"""
    names = ["m.uid", *(_COLUMNS[column] for column in columns), *([_NEEDED] if with_sections else [])]
    listed = ", ".join(names)
    if "r." in listed:
        return sql.fetch_wide.replace("$columns", listed), sql.fetch_some_wide.replace("$columns", listed), True
    return sql.fetch.replace("$columns", listed), sql.fetch_some.replace("$columns", listed), False


def _groups(ranges: Ranges, most: int) -> Iterator[Ranges]:
    """Long ranges alone; short ones together, as many as hold at most `most` UIDs."""
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
    """Frames of about FRAME_BYTES: most rows are short, but not of every message."""
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


async def _frames(rows: list[Any]) -> AsyncIterator[bytes]:
    """Frames of rows; after one with large sections the pieces of these (`FetchQuestion.pieces`)."""
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
