"""Octets that arrive piece by piece, kept in few objects, so that memory is what is counted however small the pieces are."""

#: Smaller pieces are copied together; larger ones are kept as they came (bytes).
SMALL = 4096


class Pieces:
    """Append octets, and join them once at the end."""

    __slots__ = ("_pieces",)

    def __init__(self, first: bytes = b"") -> None:
        self._pieces: list[bytes | bytearray] = [first] if first else []

    def append(self, octets: bytes) -> None:
        """Take `octets` in."""
        last = self._pieces[-1] if self._pieces else None
        if len(octets) >= SMALL or last is None:
            self._pieces.append(octets)
        elif isinstance(last, bytearray):
            last += octets
        else:
            self._pieces.append(bytearray(octets))

    def clear(self) -> None:
        """Forget everything."""
        self._pieces = []

    def join(self) -> bytes:
        """All octets in their order."""
        if len(self._pieces) == 1:
            return bytes(self._pieces[0])  # copies nothing when they came in one piece
        return b"".join(self._pieces)
