"""DEFLATE in both directions of a connection (RFC 1951, RFC 4978), with little and bounded memory (docs/decisions/0062)."""

import zlib

#: zlib's parameters for what is sent: 38 KB a connection instead of 268 KB, for 14 % more octets of lists of messages at most.
_LEVEL, _WINDOW_BITS, _MEMORY_LEVEL = 4, 12, 5


class Compression:
    """The compressor and the decompressor of one connection."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY_LEVEL)
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._packed = b""
        self._more = False

    def pack(self, data: bytes | memoryview) -> bytes:
        """Return `data` compressed and flushed: the peer can decompress all of it."""
        return self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def feed(self, packed: bytes) -> None:
        """Take compressed octets that arrived."""
        self._packed += packed

    @property
    def pending(self) -> bool:
        """Whether `unpack` may return more."""
        return bool(self._packed) or self._more

    def unpack(self, most: int) -> bytes:
        """Return at most `most` octets (not 0) of what was fed. Raises ValueError if it is malformed or the peer ended it."""
        try:
            found = self._inflate.decompress(self._packed, most)
        except zlib.error as error:
            raise ValueError(f"not DEFLATE: {error}") from error
        if self._inflate.eof and not found:
            raise ValueError("the compressed data has ended")
        self._packed = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        self._more = len(found) == most
        return found

    def rest(self) -> bytes:
        """Return the octets that are not decompressed yet."""
        return self._packed
