"""The octets of a request in pieces, sent one after the other as they are: joining them would copy a large message."""

from collections.abc import Sequence

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload


class Gathered(Payload):
    """A request's octets, the pieces of `value` in order. It can be sent again."""

    _value: Sequence[bytes]

    def __init__(self, value: Sequence[bytes]) -> None:
        super().__init__(value)
        self._size = sum(map(len, value))

    async def write(self, writer: AbstractStreamWriter) -> None:
        for piece in self._value:
            await writer.write(piece)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the octets as text, which aiohttp asks of every payload."""
        return b"".join(self._value).decode(encoding, errors)
