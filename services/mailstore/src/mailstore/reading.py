"""FETCH rows as a stream: columns as they were rendered, sections cut out of bodies (decisions 4 and 7)."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from bodystore import BodyStore
from mailkit.db import translated
from mailkit.errors import NotFound
from mailstore import metrics
from mailstore.mime import header_fields, section
from mailstore.storage.store import sql
from mailstore_client.wire import FetchQuestion, ReadMaildrop, Section

#: Rows in a frame, and about how many octets of sections.
SLICE = 1000
FRAME_BYTES = 1024 * 1024
#: Of a body larger than this only what the sections need is read.
WHOLE = 512 * 1024

_WIDE = {"ENVELOPE": "envelope", "BODY": "body", "BODYSTRUCTURE": "bodystructure"}
_NARROW = {"RFC822.SIZE": "size", "INTERNALDATE": "internaldate"}
_encode = msgspec.msgpack.Encoder().encode


class Reader:
    """Reads messages."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore) -> None:
        self._pool = pool
        self._bodies = bodies

    async def fetch(self, question: FetchQuestion) -> AsyncIterator[bytes]:
        """Frames of rows, ready for the wire."""
        names = [_WIDE.get(column) or _NARROW[column] for column in question.columns]
        wide = bool(question.sections) or any(column in _WIDE for column in question.columns)
        statement = sql.fetch_wide if wide else sql.fetch_narrow
        async with translated():
            for low, high in question.ranges:
                while low <= high:
                    rows = await self._pool.fetch(statement, question.mailbox_id, question.folder_id, low, high, SLICE)
                    if not rows:
                        break
                    low = rows[-1]["uid"] + 1
                    if question.sections:
                        async for frame in self._with_sections(rows, names, question.sections):
                            yield frame
                    else:
                        metrics.ROWS.inc(len(rows))
                        yield _frame([[row["uid"], *[row[name] for name in names]] for row in rows])
                    if len(rows) < SLICE:
                        break

    async def _with_sections(
        self, rows: list[asyncpg.Record], names: list[str], sections: list[Section]
    ) -> AsyncIterator[bytes]:
        """Rows grouped so that the bodies of a frame stay about FRAME_BYTES."""
        group: list[asyncpg.Record] = []
        size = 0
        for row in [*rows, None]:
            if group and (row is None or size + row["size"] > FRAME_BYTES):
                small = [r["body_id"] for r in group if r["size"] <= WHOLE]
                bodies = await self._bodies.read_many(small) if small else {}
                answer = []
                for r in group:
                    values = [await self._section(r, bodies, one) for one in sections]
                    answer.append([r["uid"], *[r[name] for name in names], *values])
                metrics.ROWS.inc(len(answer))
                yield _frame(answer)
                group, size = [], 0
            if row is not None:
                group.append(row)
                size += row["size"]

    async def _section(self, row: asyncpg.Record, bodies: dict[UUID, bytes], wanted: Section) -> bytes | None:
        """One section's bytes; None when the message has no such part."""
        spec = ".".join(part for part in (wanted.part, wanted.text) if part)
        found = section(row["parts"], spec)
        if found is None:
            return None
        prefix: bytes = row["prefix"] if found.prefix else b""
        offset = wanted.offset
        is_fields = wanted.text.startswith("HEADER.FIELDS")
        if wanted.count >= 0 and not is_fields and len(found.ranges) == 1 and row["size"] > WHOLE:
            # a large body in pieces: only the chunks that hold the piece are read
            start, length = found.ranges[0]
            head = prefix[offset : offset + wanted.count]
            skip = max(offset - len(prefix), 0)
            take = min(wanted.count - len(head), length - skip)
            return head + await self._bodies.read_span(row["body_id"], start + skip, take)
        body = bodies.get(row["body_id"])
        if body is not None:
            data = prefix + b"".join(body[start : start + length] for start, length in found.ranges)
        else:
            spans = [await self._bodies.read_span(row["body_id"], start, length) for start, length in found.ranges]
            data = prefix + b"".join(spans)
        if is_fields:
            data = header_fields(data, [name.encode() for name in wanted.fields], not_=wanted.text.endswith("NOT"))
        if offset or wanted.count >= 0:
            data = data[offset : offset + wanted.count] if wanted.count >= 0 else data[offset:]
        return data

    async def message(self, question: ReadMaildrop) -> bytes:
        """RETR and TOP: the message's octets. Raises NotFound when it is gone."""
        async with translated():
            row = await self._pool.fetchrow(sql.one_message, question.mailbox_id, question.folder_id, question.uid)
            if row is None:
                raise NotFound("the message is gone")
            body = await self._bodies.read(row["body_id"])
        whole: bytes = row["prefix"] + body
        if question.lines < 0:
            return whole
        end = whole.find(b"\r\n\r\n")
        end = len(whole) if end < 0 else end + 4
        for _ in range(question.lines):
            following = whole.find(b"\r\n", end)
            if following < 0:
                return whole
            end = following + 2
        return whole[:end]


def _frame(rows: list[list[Any]]) -> bytes:
    data = _encode(rows)
    return len(data).to_bytes(4, "big") + data
