"""FETCH as a stream of frames: the rows a question asks for, in slices, with columns as rendered (decision 7)."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

import msgspec

from mailkit.postgres.pool import translated
from mailstore import metrics
from mailstore.model.uids import split
from mailstore.reading.decoded import SPAN, DecodedPart
from mailstore.reading.first_fetch import FirstFetches
from mailstore.reading.octets import Octets
from mailstore.reading.sections import Large, Sections, is_content
from mailstore.storage.fetch import BIG, FetchRows, MessageRow, Selection
from mailstore_api.wire import FetchQuestion, Ranges

#: Limit of the rows in a frame, and its approximate size in octets.
SLICE = 1000
FRAME_BYTES = 1024 * 1024

#: Sections that are sent in pieces.
LARGE = (Large, DecodedPart)

_encode = msgspec.msgpack.Encoder().encode
R = TypeVar("R", bound=MessageRow)


class Fetcher:
    """Reader of a folder's rows."""

    def __init__(self, rows: FetchRows, sections: Sections, octets: Octets, fetches: FirstFetches) -> None:
        self._rows = rows
        self._sections = sections
        self._octets = octets
        self._fetches = fetches

    async def fetch(self, question: FetchQuestion) -> AsyncGenerator[bytes, None]:
        """Yield encoded frames of rows [uid, *columns, *sections].

        Raises BadRequest for ranges out of order, Unavailable if the replica is reading too much, and OverLimit for a row
        above its limit.
        """
        split(question.ranges)  # raises for ranges out of order
        selection = Selection(question.columns, stored=bool(question.sections))
        async with translated(), aclosing(self._frames_of(question, selection)) as frames:
            async for frame in frames:
                yield frame

    def _frames_of(self, question: FetchQuestion, selection: Selection) -> AsyncGenerator[bytes, None]:
        if not selection.is_rendered:
            return self._narrow(question, selection)
        if len(question.ranges) == 1 and not question.sections:
            return self._cut_by_weight(question, selection)
        return self._weighed(question, question.ranges, selection)

    async def _narrow(self, question: FetchQuestion, selection: Selection) -> AsyncGenerator[bytes, None]:
        """Yield frames of rows without rendered columns, which are short."""
        read = partial(self._rows.rows, question.mailbox_id, question.folder_id, SLICE, selection)
        async for rows, _ in _slices(question.ranges, read):
            metrics.ROWS.inc(len(rows))
            for answer in _cut(rows):
                yield _frame(answer)

    async def _cut_by_weight(self, question: FetchQuestion, selection: Selection) -> AsyncGenerator[bytes, None]:
        """Yield frames of a range: up to its first big row, of which most have none, without a look at lengths first."""
        folder = question.mailbox_id, question.folder_id
        low, high = question.ranges[0]
        while low <= high:
            async with self._octets.of(question.mailbox_id, FRAME_BYTES + BIG) as share:
                rows = await self._rows.rows_until(*folder, low, high, SLICE, FRAME_BYTES, selection)
                if not rows:
                    break
                metrics.ROWS.inc(len(rows))
                share.keep(_held(rows))
                for answer in _cut(rows):
                    yield _frame(answer)
            low = rows[-1].uid + 1
        if low <= high and await self._rows.has_big(*folder, low, high):
            async with aclosing(self._weighed(question, [(low, high)], selection)) as frames:
                async for frame in frames:
                    yield frame

    async def _weighed(
        self, question: FetchQuestion, ranges: Ranges, selection: Selection
    ) -> AsyncGenerator[bytes, None]:
        """Yield frames of rows that may be large: their size is counted before they are read."""
        folder, columns = (question.mailbox_id, question.folder_id), 1 + len(question.columns)
        most, weigh = self._sections.weight(question.sections, FRAME_BYTES, pieces=question.pieces)
        async for planned, is_one_range in _slices(ranges, partial(self._rows.weights, *folder, SLICE)):
            weights = [row.weight + weigh(row.size) for row in planned]
            for start, end in _shares(weights, most):
                uids = [row.uid for row in planned[start:end]]
                async with self._octets.of(question.mailbox_id, sum(weights[start:end])) as share:
                    if is_one_range:
                        rows = await self._rows.rows(*folder, len(uids), selection, [(uids[0], uids[-1])])
                    else:
                        rows = await self._rows.rows_of(*folder, uids, selection)
                    metrics.ROWS.inc(len(rows))
                    answers: Sequence[Any] = rows
                    if question.sections:
                        values = await self._sections.read(rows, question.sections, pieces=question.pieces)
                        if is_content(question.sections):
                            self._fetches.note(question.mailbox_id, [row.body_id for row in rows], "imap")
                        answers = [(*tuple(row)[:columns], *value) for row, value in zip(rows, values, strict=True)]
                    share.keep(_held(answers))
                    async for frame in _frames(answers):
                        yield frame


async def _slices(ranges: Ranges, read: Callable[[Ranges], Awaitable[list[R]]]) -> AsyncIterator[tuple[list[R], bool]]:
    """Yield rows, SLICE at a time, and whether they are of one range. `read` returns the first SLICE rows of ranges."""
    for group in _groups(ranges, SLICE):
        if len(group) > 1:
            rows = await read(group)
            if rows:
                yield rows, False
            continue
        low, high = group[0]
        while low <= high:
            rows = await read([(low, high)])
            if rows:
                yield rows, True
            if len(rows) < SLICE:
                break
            low = rows[-1].uid + 1


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
            elif isinstance(value, LARGE):
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
        large = [value for value in row if isinstance(value, LARGE)]
        if not large:
            continue
        shown = tuple(value.size if isinstance(value, LARGE) else value for value in row)
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
