"""A message as RETR and TOP send it (RFC 1939 3). Pure."""


class Stuffing:
    """Doubles the dots that begin a line, in a message that comes in pieces."""

    def __init__(self) -> None:
        self._last = b"\r\n"

    def add(self, piece: bytes) -> bytes:
        """The next piece as it is sent."""
        if not piece:
            return piece
        before, self._last = self._last, (self._last + piece)[-2:]
        sent = piece
        if piece[:1] == b"." and before == b"\r\n":
            sent = b"." + sent
        elif piece[:2] == b"\n." and before[-1:] == b"\r":
            sent = b"\n." + sent[1:]
        return sent.replace(b"\r\n.", b"\r\n..") if b"\r\n." in sent else sent

    def end(self) -> bytes:
        """What ends the response; a last line without its end gets one."""
        return b".\r\n" if self._last == b"\r\n" else b"\r\n.\r\n"


def stuffed(raw: bytes) -> bytes:
    """A multi-line response's lines and its end."""
    stuffing = Stuffing()
    return stuffing.add(raw) + stuffing.end()
