"""A bare client that sends and reads at the same time, so that neither side waits for the other's full buffer."""

import http.client
import selectors
import socket
import time
from collections.abc import Sequence
from typing import Self

from mailkit.testing.speed import patient

#: Seconds of an idle machine after which an unanswered exchange is given up.
PATIENCE = 60.0
#: Octets of an answer that are kept; the rest is only counted.
KEPT = 256 * 1024


class Talk:
    """One connection to a loopback port from an address of its own."""

    def __init__(self, port: int, source: str, *, patience: float = PATIENCE) -> None:
        self.patience = patient(patience)
        self.sock = socket.create_connection(("127.0.0.1", port), self.patience, source_address=(source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = bytearray()
        """The last KEPT octets of all answers."""
        self.head = b""
        """The first octets of all answers."""
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def exchange(
        self, data: bytes, until: bytes | None, *, segment: int = 256 * 1024, stop: bytes | None = None
    ) -> bytes:
        """Send `data`, `segment` octets at a time, and read until `until` came behind it or the connection ended.

        With `stop` in the answer the rest is not sent any more. Raises TimeoutError when `patience` is over. Returns what came (its last KEPT octets).
        """
        if self.closed:
            return b""
        view, sent, answer = memoryview(data), 0, bytearray()
        end = time.monotonic() + self.patience
        self.sock.setblocking(False)
        with selectors.DefaultSelector() as poll:
            poll.register(self.sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while not self.closed and (sent < len(view) or until is None or until not in answer):
                if stop is not None and stop in answer:
                    break
                if time.monotonic() > end:
                    raise TimeoutError(f"no answer within {self.patience:g} s; last: {bytes(answer[-200:])!r}")
                for key, mask in poll.select(1.0):
                    if mask & selectors.EVENT_READ:
                        piece = self._read()
                        self.head = self.head or piece[:100]
                        answer += piece
                        del answer[:-KEPT]
                    if mask & selectors.EVENT_WRITE and not self.closed:
                        sent += self._write(view[sent : sent + segment])
                        if sent == len(view):
                            poll.modify(key.fileobj, selectors.EVENT_READ)
        self.got += answer
        del self.got[:-KEPT]
        return bytes(answer)

    def _read(self) -> bytes:
        try:
            piece = self.sock.recv(1 << 18)
        except BlockingIOError:
            return b""
        except OSError:
            piece = b""
        self.closed = not piece
        return piece

    def _write(self, piece: memoryview) -> int:
        try:
            return self.sock.send(piece)
        except BlockingIOError:
            return 0
        except OSError:  # the server has closed; what it said before may still be there
            return len(piece)


def request(
    port: int, source: str, method: str, path: str, body: Sequence[bytes] | bytes, headers: dict[str, str]
) -> tuple[int, bytes]:
    """One HTTP request; status and the end of the body. `body` as a sequence is sent piece by piece until the answer comes."""
    pieces = [body] if isinstance(body, bytes) else body
    length = sum(map(len, pieces))
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", "connection: close", f"content-length: {length}"]
    head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()
    with Talk(port, source) as talk:
        for piece in (head, *pieces):
            if talk.closed or b"\r\n\r\n" in talk.got:
                break
            talk.exchange(piece, b"", stop=b"\r\n\r\n")
        talk.exchange(b"", None)
    if not talk.head:
        return 0, b""
    try:
        return int(talk.head.split(b" ", 2)[1]), bytes(talk.got)
    except (IndexError, ValueError):
        raise http.client.BadStatusLine(talk.head.decode("latin-1")) from None
