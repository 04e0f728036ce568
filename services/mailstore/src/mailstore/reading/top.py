"""TOP (RFC 1939 7): the header, the blank line and some lines of the body, of a message that comes in pieces. Pure."""


class Top:
    """Header and `lines` lines of the body of one message."""

    def __init__(self, lines: int) -> None:
        self._left = lines
        self._in_body = False
        self._tail = b"\r\n"  # the last octets before the next piece: a message may begin with the blank line
        self.complete = False
        """Whether all that was asked for has been returned."""

    def cut(self, piece: bytes) -> bytes:
        """Return the part of the next piece that belongs to the answer."""
        before = len(self._tail)
        text = self._tail + piece
        at = 0
        if not self._in_body:
            at = text.find(b"\r\n\r\n")
            if at < 0:
                self._tail = text[-3:]
                return piece
            self._in_body = True
            at += 4
        while self._left:
            following = text.find(b"\r\n", at)
            if following < 0:
                self._tail = text[max(at, len(text) - 1) :]
                return piece
            at = following + 2
            self._left -= 1
        self.complete = True
        return piece[: max(at - before, 0)]
