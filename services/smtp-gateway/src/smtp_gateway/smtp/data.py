"""Reader of a message after DATA (RFC 5321 4.1.1.4): in whole chunks, bounded, ended only by CRLF "." CRLF."""

from mailkit.net.pieces import Pieces

END = b"\r\n.\r\n"


class DataReader:
    """Collects the octets of one message; `done` is True after the final dot.

    A message over `limit` octets is read to its end and discarded, so that client and server stay synchronised.
    """

    def __init__(self, limit: int) -> None:
        self._most = limit
        self._pieces = Pieces()
        self._tail = b"\r\n"  # as if a line ended before the first one: a message may be just the final dot
        self.size = 0
        self.done = False
        self.discarding = False

    def feed(self, data: bytes) -> bytes:
        """Process `data`; return what follows the final dot (pipelined commands)."""
        probe = self._tail + data
        at = probe.find(END)
        if at < 0:
            self._take(data)
            self._tail = probe[-4:]
            return b""
        end = at + len(END) - len(self._tail)
        self._take(data[:end])
        self.done = True
        return data[end:]

    def _take(self, data: bytes) -> None:
        self.size += len(data)
        # the size includes dots doubled by the client, so the bound is generous; `body` checks the exact size
        if self.discarding or self.size > self._most * 2 + 1024:
            self.discard()
        else:
            self._pieces.append(data)

    def discard(self) -> None:
        """Drop what was collected and ignore the rest of the message."""
        self.discarding = True
        self._pieces.clear()

    @property
    def held(self) -> int:
        """Octets in memory."""
        return 0 if self.discarding else self.size

    def body(self) -> bytes | None:
        """Return the message without the final dot and dot-stuffing (RFC 5321 4.5.2); None if it was too large."""
        if self.discarding:
            return None
        raw = self._pieces.join()[:-3]
        self._pieces.clear()
        if raw[:1] == b".":
            raw = raw[1:]
        if b"\r\n." in raw:
            raw = raw.replace(b"\r\n.", b"\r\n")
        return raw if len(raw) <= self._most else None
