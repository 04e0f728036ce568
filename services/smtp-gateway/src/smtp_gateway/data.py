"""Reads a message's octets after DATA (RFC 5321 4.1.1.4): whole chunks, bounded, ended by CRLF "." CRLF and nothing else."""

from mailkit.pieces import Pieces

END = b"\r\n.\r\n"


class DataReader:
    """Fed with what arrives; `done` after the final dot. What is over `limit` is read and thrown away, so that the
    dialogue stays in step."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces = Pieces()
        self._tail = b"\r\n"  # the line end in front of the first line: a message may be a dot alone
        self.size = 0
        self.done = False
        self.discarding = False

    def feed(self, data: bytes) -> bytes:
        """Take `data`; what came behind the final dot (pipelined commands) is given back."""
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
        # dots doubled by the client are counted too here; the exact size is looked at once more at the end
        if self.discarding or self.size > self._limit * 2 + 1024:
            self.discard()
        else:
            self._pieces.append(data)

    def discard(self) -> None:
        """Keep nothing more of this message."""
        self.discarding = True
        self._pieces.clear()

    @property
    def held(self) -> int:
        """Octets in memory."""
        return 0 if self.discarding else self.size

    def body(self) -> bytes | None:
        """The message without the final dot and without dot-stuffing (4.5.2); None when it was too large."""
        if self.discarding:
            return None
        raw = self._pieces.join()[:-3]
        self._pieces.clear()
        if raw[:1] == b".":
            raw = raw[1:]
        if b"\r\n." in raw:
            raw = raw.replace(b"\r\n.", b"\r\n")
        return raw if len(raw) <= self._limit else None
