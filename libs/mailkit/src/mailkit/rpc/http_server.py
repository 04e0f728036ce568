"""uvicorn under a service's own signal handling, with limits on what precedes a request's body."""

import asyncio
import contextlib
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mailkit.net.keepalive import keep_alive

#: Limit, in octets, of what is not body: request line, header fields, chunk extensions, trailers. uvicorn has no limit.
LARGEST_HEAD = 32 * 1024
#: Deadline for a complete request head, in seconds from the start of the connection or the head's first octets.
HEAD_SECONDS = 20.0
_REFUSAL = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Protocol(HttpToolsProtocol):
    """One connection. Octets are counted until the parser advances: to the end of a head, body octets, the end of a request."""

    _waiting = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        keep_alive(transport.get_extra_info("socket"))
        self._timer = self.loop.call_later(HEAD_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ahead()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._waiting += len(data)
        super().data_received(data)
        if not self._waiting or self.transport.is_closing():
            return
        if self._waiting > LARGEST_HEAD:
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_REFUSAL)
            self.transport.close()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _ahead(self) -> None:
        self._waiting = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_headers_complete(self) -> None:
        self._ahead()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._ahead()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._ahead()
        super().on_message_complete()


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to the service's lifecycle."""

    def install_signal_handlers(self) -> None:
        return

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()
