"""Sections of messages (RFC 3501 6.4.5), for which only the chunks that hold them are read (decision 4), and previews."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from bodystore import CHUNK, BodyGone, BodyStore
from mailkit.process.logs import get_logger
from mailstore import metrics
from mailstore.mime import header_fields, section
from mailstore.mime.preview import CONTENT, HEADER, octets, preview, text_parts
from mailstore.mime.sections import MULTIPART, unpack
from mailstore.mime.transfer import decoder, encoding_of
from mailstore.reading.decoded import SPAN, DecodedPart, Encoded
from mailstore.storage.fetch import StoredMessage
from mailstore_api.wire import BINARY, BINARY_SIZE, LAZY_PREVIEW, PIECE, PREVIEW, Section

log = get_logger()

#: Of a body larger than this, only what the sections need is read.
WHOLE = 512 * 1024
#: The largest section that is sent whole if the question is not for pieces.
LARGEST = 16 * 1024 * 1024
#: Headers are read from first chunks; limit of the octets of these in memory together.
HEADS = 8 * 1024 * 1024
#: Octets of a part's header that are looked at for its encoding.
PART_HEADER = 64 * 1024


@dataclass(frozen=True)
class Large:
    """A section over PIECE octets that is sent in pieces: `head`, then `length` octets of the body from `start` on."""

    bodies: BodyStore
    body_id: UUID
    head: bytes
    start: int
    length: int

    @property
    def size(self) -> int:
        """Size of the section in octets."""
        return len(self.head) + self.length

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the octets, at most PIECE at a time. Raises BodyGone."""
        for at in range(0, len(self.head), PIECE):
            yield self.head[at : at + PIECE]
        for at in range(self.start, self.start + self.length, SPAN):
            data = await self.bodies.read_span(self.body_id, at, min(SPAN, self.start + self.length - at))
            for cut in range(0, len(data), PIECE):
                yield data[cut : cut + PIECE]


#: None: no such part; False: it has an encoding that is not known (RFC 3516 4.3).
Value = bytes | Large | DecodedPart | bool | None


class Sections:
    """Reader of sections."""

    def __init__(self, bodies: BodyStore) -> None:
        self._bodies = bodies

    def weight(self, wanted: Sequence[Section], most: int, *, pieces: bool) -> tuple[int, Callable[[int], int]]:
        """Return the limit of octets to read together, and a function from a message's size to its octets in memory.

        These are what is read of the body and the sections cut from it.
        """
        if not wanted:
            return most, lambda size: 0
        heads = all(map(_is_head, wanted))
        largest = PIECE if pieces else LARGEST
        values = [
            CONTENT + HEADER if _is_preview(each) else min(each.count, largest) if each.count >= 0 else largest
            for each in wanted
        ]

        def weigh(size: int) -> int:
            return min(size, CHUNK if heads else WHOLE) + sum([min(size, value) for value in values])

        return HEADS if heads else most, weigh

    async def read(
        self, rows: Sequence[StoredMessage], wanted: Sequence[Section], *, pieces: bool = False
    ) -> list[list[Value]]:
        """Return the sections of each row; None if a message has no such part. With `pieces`, large ones are not read yet."""
        if all(map(_is_head, wanted)):
            bodies = await self._bodies.read_heads([row.body_id for row in rows])
        else:
            small = [row.body_id for row in rows if row.size <= (PIECE if pieces else WHOLE)]
            bodies = await self._bodies.read_many(small) if small else {}
        return [[await self._one(row, bodies, one, pieces) for one in wanted] for row in rows]

    async def _one(self, row: StoredMessage, bodies: dict[UUID, bytes], wanted: Section, pieces: bool) -> Value:
        try:
            if _is_preview(wanted):
                return await self._preview(row, bodies, only_near=wanted.text == LAZY_PREVIEW)
            if wanted.text in (BINARY, BINARY_SIZE):
                return await self._binary(row, bodies, wanted, pieces)
            return await self._cut(row, bodies, wanted, pieces)
        except BodyGone as error:
            # one lost body must not make the other messages unreadable
            metrics.LOST.inc()
            log.error("body_lost", body_id=row.body_id, uid=row.uid, error=str(error))
            return None

    async def _cut(self, row: StoredMessage, bodies: dict[UUID, bytes], wanted: Section, pieces: bool) -> Value:
        body = bodies.get(row.body_id)
        if body is not None and not wanted.part and not wanted.text and len(body) + len(row.prefix) == row.size:
            return _piece(row.prefix + body, wanted)
        spec = ".".join(part for part in (wanted.part, wanted.text) if part)
        found = section(row.parts, spec)
        if found is None:
            return None
        prefix = row.prefix if found.prefix else b""
        ((start, length),) = found.ranges
        if wanted.text.startswith("HEADER.FIELDS"):
            header = prefix + await self._span(row.body_id, body, start, length)
            names = [name.encode() for name in wanted.fields]
            return _piece(header_fields(header, names, not_=wanted.text.endswith("NOT")), wanted)
        # only the chunks that hold the wanted octets are read
        end = len(prefix) + length if wanted.count < 0 else wanted.offset + wanted.count
        head = prefix[wanted.offset : end]
        skip = min(max(wanted.offset - len(prefix), 0), length)
        take = max(min(end - len(prefix), length) - skip, 0)
        if pieces and len(head) + take > PIECE:
            return Large(self._bodies, row.body_id, head, start + skip, take)
        return head + await self._span(row.body_id, body, start + skip, take)

    async def _binary(self, row: StoredMessage, bodies: dict[UUID, bytes], wanted: Section, pieces: bool) -> Value:
        """Return a part without its encoding, or its size as digits. Multiparts and the whole message have none."""
        is_size = wanted.text == BINARY_SIZE
        found = section(row.parts, wanted.part)
        header = section(row.parts, f"{wanted.part}.MIME") if wanted.part else None
        if found is None:
            return b"0" if is_size else None
        ((start, length),) = found.ranges
        encoding = None
        read = partial(self._span, row.body_id, bodies.get(row.body_id))
        if header is not None and not _is_multipart(row.parts, start):
            ((at, size),) = header.ranges
            encoding = encoding_of(await read(at, min(size, PART_HEADER)), of_message=header.prefix)
        if encoding is None:
            if is_size:
                return b"%d" % (length + (len(row.prefix) if found.prefix else 0))
            return await self._cut(row, bodies, Section(wanted.part, "", [], wanted.offset, wanted.count), pieces)
        if decoder(encoding) is None:
            return False
        part = Encoded(read, start, length, encoding)
        if is_size:
            return b"%d" % await part.size()
        return await part.cut(wanted.offset, wanted.count, PIECE if pieces else LARGEST)

    async def _preview(self, row: StoredMessage, bodies: dict[UUID, bytes], *, only_near: bool) -> bytes | None:
        """Return the preview; None with `only_near` if its text is not in the first chunk of the body (RFC 8970 4.1)."""
        await asyncio.sleep(0)  # decoding takes up to a millisecond
        for part in text_parts(row.parts):
            start, length = octets(part)
            if only_near and start + length > CHUNK:
                return None
            text = preview(part, await self._span(row.body_id, bodies.get(row.body_id), start, length))
            if text:
                return text.encode()
        return b""

    async def _span(self, body_id: UUID, body: bytes | None, start: int, length: int) -> bytes:
        """Octets of a body, from the part in memory or from the database. Raises BodyGone."""
        if body is not None and start + length <= len(body):
            return body[start : start + length]
        return await self._bodies.read_span(body_id, start, length)


def is_content(wanted: Sequence[Section]) -> bool:
    """Return True if a section is more than a header or a preview: the message is being read."""
    return not all(map(_is_head, wanted))


def _is_head(wanted: Section) -> bool:
    return not wanted.part and (wanted.text.startswith("HEADER") or _is_preview(wanted))


def _is_multipart(parts: bytes, start: int) -> bool:
    """Whether the content at `start` is that of a multipart, which has no encoding (RFC 2045 6.4)."""
    return any(row.body == start and row.kind == MULTIPART for row in unpack(parts))


def _is_preview(wanted: Section) -> bool:
    return wanted.text in (PREVIEW, LAZY_PREVIEW)


def _piece(data: bytes, wanted: Section) -> bytes:
    if wanted.count >= 0:
        return data[wanted.offset : wanted.offset + wanted.count]
    return data[wanted.offset :] if wanted.offset else data
