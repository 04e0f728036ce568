"""The chunks of bodies: cut, compressed each by itself, and put together again."""

import asyncio
import threading
from collections.abc import Sequence
from uuid import UUID

import zstandard

#: Octets of a body in one chunk; the last one may be shorter.
CHUNK = 256 * 1024
#: Octets above which bodies are compressed in a thread, so that the event loop is not blocked.
OFF_LOOP = 256 * 1024

#: The first octet of a stored chunk is its method.
_PLAIN, _ZSTD = b"\x00", b"\x01"

_local = threading.local()  # a compressor, and a decompressor, may be used by one thread at a time

#: The id and the octets of each body.
Bodies = Sequence[tuple[UUID, bytes]]


async def pack(bodies: Bodies) -> tuple[list[UUID], list[int], list[bytes]]:
    """Return (body ids, chunk numbers, stored octets) of all chunks."""
    if sum(len(data) for _, data in bodies) > OFF_LOOP:
        return await asyncio.to_thread(_pack, bodies)
    return _pack(bodies)


async def unpack(chunks: Sequence[bytes]) -> list[bytes]:
    """Return the octets of each stored chunk."""
    if sum(len(chunk) for chunk in chunks) > OFF_LOOP:
        return await asyncio.to_thread(lambda: [_unpack(chunk) for chunk in chunks])
    return [_unpack(chunk) for chunk in chunks]


def _pack(bodies: Bodies) -> tuple[list[UUID], list[int], list[bytes]]:
    owners: list[UUID] = []
    numbers: list[int] = []
    chunks: list[bytes] = []
    compressor = _compressor()
    for body_id, data in bodies:
        for number, start in enumerate(range(0, len(data) or 1, CHUNK)):
            piece = data[start : start + CHUNK]
            small = compressor.compress(piece)
            owners.append(body_id)
            numbers.append(number)
            chunks.append(_ZSTD + small if len(small) < len(piece) else _PLAIN + piece)
    return owners, numbers, chunks


def _unpack(chunk: bytes) -> bytes:
    if chunk[:1] != _ZSTD:
        return chunk[1:]
    piece: bytes = _decompressor().decompress(memoryview(chunk)[1:], max_output_size=CHUNK)
    return piece


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=3)
    made: zstandard.ZstdCompressor = _local.compressor
    return made


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    made: zstandard.ZstdDecompressor = _local.decompressor
    return made
