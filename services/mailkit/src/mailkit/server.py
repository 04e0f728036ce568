"""uvicorn under a service's own signals, with a bound on what comes before a request's body."""

import asyncio
import contextlib
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mailkit.keepalive import keep_alive

#: Octets of a request that are no body: its line and header fields, a chunk's extensions, trailers. uvicorn has no limit.
LARGEST_HEAD = 32 * 1024
#: Seconds for a request's head to come in whole, counted from the connection's beginning or the head's first octets.
HEAD_SECONDS = 20.0
_REFUSAL = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Protocol(HttpToolsProtocol):
    """One connection. What arrives is counted until the parser gets ahead: to a head's end, a body's octets, a request's end."""

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
    """Signals belong to the service's lifecycle; a taken port is an exception, not an exit."""

    def install_signal_handlers(self) -> None:
        return

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()
