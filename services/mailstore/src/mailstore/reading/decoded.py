"""Sections without their transfer encoding: BINARY (RFC 3516). Only a span of the part and a piece of it are in memory."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from bodystore import CHUNK
from mailstore.mime.transfer import decoder
from mailstore_api.wire import PIECE

#: Octets of a large body read at a time.
SPAN = 2 * CHUNK

#: Returns octets of the body: `length` from `start` on. Raises BodyGone.
Read = Callable[[int, int], Awaitable[bytes]]


@dataclass(frozen=True)
class Encoded:
    """A part in an encoding that `decoder` knows: `length` octets of the body from `start` on."""

    read: Read
    start: int
    length: int
    encoding: bytes

    async def decoded(self) -> AsyncGenerator[bytes, None]:
        """Yield the decoded octets, those of a span at a time."""
        decode = decoder(self.encoding)
        assert decode is not None
        end = self.start + self.length
        for at in range(self.start, end, SPAN):
            yield decode.feed(await self.read(at, min(SPAN, end - at)))
        yield decode.end()

    async def size(self) -> int:
        """Return the number of decoded octets."""
        return sum([len(piece) async for piece in self.decoded()])

    async def cut(self, offset: int, count: int, most: int) -> "bytes | DecodedPart":
        """Return `count` decoded octets from `offset` on, -1 for all; if they are more than `most`, not read yet."""
        kept: list[bytes] = []
        size = 0
        async with aclosing(self.within(offset, count)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size <= most:
                    kept.append(piece)
                else:
                    kept.clear()
        return b"".join(kept) if size <= most else DecodedPart(self, offset, size)

    async def within(self, offset: int, count: int) -> AsyncGenerator[bytes, None]:
        """Yield `count` decoded octets from `offset` on, -1 for all; no more of the part is read than they need."""
        at = 0
        async with aclosing(self.decoded()) as pieces:
            async for piece in pieces:
                low = max(offset - at, 0)
                yield piece[low:] if count < 0 else piece[low : max(offset + count - at, 0)]
                at += len(piece)
                if 0 <= count <= at - offset:
                    return


@dataclass(frozen=True)
class DecodedPart:
    """`size` decoded octets of a part from `offset` on, which are sent in pieces."""

    part: Encoded
    offset: int
    size: int

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the octets, at most PIECE at a time. Raises BodyGone."""
        async with aclosing(self.part.within(self.offset, self.size)) as found:
            async for data in found:
                for cut in range(0, len(data), PIECE):
                    yield data[cut : cut + PIECE]
