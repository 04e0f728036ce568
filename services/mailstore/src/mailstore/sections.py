"""Sections of messages, cut out of their bodies (RFC 3501 6.4.5): only the chunks that hold them are read (decision 4)."""

from array import array
from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from bodystore.store import CHUNK, BodyGone
from mailkit.db import translated
from mailkit.errors import BadRequest, NotFound
from mailkit.logs import get_logger
from mailstore import metrics
from mailstore.mime import header_fields, section
from mailstore.storage.store import sql
from mailstore_client.wire import MessagesAhead, ReadAhead, ReadMaildrop, Section

log = get_logger()

#: Of a body larger than this only what the sections need is read.
WHOLE = 512 * 1024
#: Headers are taken from first chunks; so many octets of them are in memory together.
HEADS = 8 * 1024 * 1024
#: A maildrop is read ahead by so many octets at most.
AHEAD = 256 * 1024

Row = asyncpg.Record


class Sections:
    """Reads parts of bodies. Rows have body_id, prefix, size (of both together) and parts."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore) -> None:
        self._pool = pool
        self._bodies = bodies

    def weight(self, wanted: Sequence[Section], most: int) -> tuple[int, Callable[[int], int]]:
        """How many octets of what messages weigh may be read together."""
        if all(map(_is_head, wanted)):
            return HEADS, lambda size: min(size, CHUNK)
        return most, lambda size: size

    async def read(self, rows: Sequence[Row], wanted: Sequence[Section]) -> list[list[bytes | None]]:
        """The sections of each row; None where a message has no such part."""
        if all(map(_is_head, wanted)):
            bodies = await self._bodies.read_heads([row["body_id"] for row in rows])
        else:
            small = [row["body_id"] for row in rows if row["size"] <= WHOLE]
            bodies = await self._bodies.read_many(small) if small else {}
        return [[await self._one(row, bodies, one) for one in wanted] for row in rows]

    async def _one(self, row: Row, bodies: dict[UUID, bytes], wanted: Section) -> bytes | None:
        try:
            return await self._cut(row, bodies, wanted)
        except BodyGone as error:
            # one lost body must not make all the others unreadable
            metrics.LOST.inc()
            log.error("body_lost", body_id=row["body_id"], uid=row.get("uid"), error=str(error))
            return None

    async def _cut(self, row: Row, bodies: dict[UUID, bytes], wanted: Section) -> bytes | None:
        body = bodies.get(row["body_id"])
        if body is not None and not wanted.part and not wanted.text and len(body) + len(row["prefix"]) == row["size"]:
            return _piece(row["prefix"] + body, wanted)
        spec = ".".join(part for part in (wanted.part, wanted.text) if part)
        found = section(row["parts"], spec)
        if found is None:
            return None
        prefix: bytes = row["prefix"] if found.prefix else b""
        is_fields = wanted.text.startswith("HEADER.FIELDS")
        if body is None and wanted.count >= 0 and not is_fields and len(found.ranges) == 1:
            # a piece of a large body: only its chunks are read
            start, length = found.ranges[0]
            head = prefix[wanted.offset : wanted.offset + wanted.count]
            skip = max(wanted.offset - len(prefix), 0)
            take = min(wanted.count - len(head), length - skip)
            return head + await self._bodies.read_span(row["body_id"], start + skip, take)
        pieces = [prefix]
        for start, length in found.ranges:
            if body is not None and start + length <= len(body):
                pieces.append(body[start : start + length])
            else:
                pieces.append(await self._bodies.read_span(row["body_id"], start, length))
        data = b"".join(pieces)
        if is_fields:
            data = header_fields(data, [name.encode() for name in wanted.fields], not_=wanted.text.endswith("NOT"))
        return _piece(data, wanted)

    async def ahead(self, question: ReadAhead) -> MessagesAhead:
        """Whole messages, AHEAD octets together. Raises BadRequest."""
        uids = list(array("I", question.uids)) if len(question.uids) % 4 == 0 else []
        if not 0 < len(uids) <= 100:
            raise BadRequest("read ahead of 1 to 100 messages")
        async with translated():
            rows = await self._pool.fetch(sql.some_messages, question.mailbox_id, question.folder_id, uids)
            taken, total = {}, 0
            for row in sorted(rows, key=lambda row: row["uid"]):
                total += row["size"]
                if total <= AHEAD:
                    taken[row["uid"]] = row
            bodies = await self._bodies.read_many([row["body_id"] for row in taken.values()])
        whole = {uid: row["prefix"] + bodies[row["body_id"]] for uid, row in taken.items() if row["body_id"] in bodies}
        return MessagesAhead([whole.get(uid) for uid in uids])

    async def message(self, question: ReadMaildrop) -> bytes:
        """RETR and TOP (RFC 1939 5, 7): the message's octets. Raises NotFound when it is gone."""
        async with translated():
            row = await self._pool.fetchrow(sql.one_message, question.mailbox_id, question.folder_id, question.uid)
            if row is None:
                raise NotFound("the message is gone")
            prefix: bytes = row["prefix"]
            if question.lines >= 0 and row["size"] > CHUNK:
                head = (await self._bodies.read_heads([row["body_id"]])).get(row["body_id"])
                top = None if head is None else _top(prefix + head, question.lines)
                if top is not None:
                    return top
            whole = prefix + await self._bodies.read(row["body_id"])
        if question.lines < 0:
            return whole
        top = _top(whole, question.lines)
        return whole if top is None else top


def _is_head(wanted: Section) -> bool:
    return not wanted.part and wanted.text.startswith("HEADER")


def _piece(data: bytes, wanted: Section) -> bytes:
    if wanted.count >= 0:
        return data[wanted.offset : wanted.offset + wanted.count]
    return data[wanted.offset :] if wanted.offset else data


def _top(data: bytes, lines: int) -> bytes | None:
    """Header, blank line and `lines` lines; None when `data` ends before them."""
    end = 2 if data.startswith(b"\r\n") else data.find(b"\r\n\r\n") + 4
    if end < 4 and not data.startswith(b"\r\n"):
        return None
    for _ in range(lines):
        following = data.find(b"\r\n", end)
        if following < 0:
            return None
        end = following + 2
    return data[:end]
