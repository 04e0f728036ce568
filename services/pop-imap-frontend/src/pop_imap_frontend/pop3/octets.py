"""Byte-stuffing of multi-line responses (RFC 1939 3). Pure."""


class Stuffing:
    """Byte-stuffing of a message that comes in pieces: a dot at the beginning of a line is doubled."""

    def __init__(self) -> None:
        self._last = b"\r\n"

    def add(self, piece: bytes) -> bytes:
        """Return the next piece, byte-stuffed."""
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
        """Return the termination octets, after a CRLF if the last line has none."""
        return b".\r\n" if self._last == b"\r\n" else b"\r\n.\r\n"


def stuffed(raw: bytes) -> bytes:
    """Return a whole message, byte-stuffed and terminated."""
    stuffing = Stuffing()
    return stuffing.add(raw) + stuffing.end()
