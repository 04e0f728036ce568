"""A buffer for octets that arrive in pieces, in few objects: small pieces take no more memory than their octets."""

#: Pieces of fewer octets are copied together; larger ones are kept as they are.
SMALL = 4096


class Pieces:
    """Octets that are appended in pieces and joined once at the end."""

    __slots__ = ("_pieces",)

    def __init__(self, first: bytes = b"") -> None:
        self._pieces: list[bytes | bytearray] = [first] if first else []

    def append(self, octets: bytes) -> None:
        """Append `octets`."""
        last = self._pieces[-1] if self._pieces else None
        if len(octets) >= SMALL or last is None:
            self._pieces.append(octets)
        elif isinstance(last, bytearray):
            last += octets
        else:
            self._pieces.append(bytearray(octets))

    def clear(self) -> None:
        """Discard all octets."""
        self._pieces = []

    def join(self) -> bytes:
        """Return all octets in order."""
        if len(self._pieces) == 1:
            return bytes(self._pieces[0])  # no copy if they arrived in one piece
        return b"".join(self._pieces)
