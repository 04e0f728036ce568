"""The HTTP listener of a service: uvicorn in the service's own event loop, with limits on what precedes a request's body."""

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mailkit.errors import ConfigError
from mailkit.net.keepalive import keep_alive
from mailkit.rpc.app import App
from mailkit.rpc.authority import Tokens

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


class HttpSide:
    """The HTTP listener beside a service's other listeners, under the service's signal handling.

    `/metrics` is answered on the same port or, with `metrics_port`, on that port only (decision 0043).
    """

    def __init__(self, app: App, host: str, port: int, metrics_port: int = 0) -> None:
        measured = App(Tokens({}), openapi_url=None, docs_url=None, redoc_url=None) if metrics_port else app
        measured.get("/metrics", include_in_schema=False)(_metrics)
        self._servers = [_server(app, host, port), *([_server(measured, host, metrics_port)] if metrics_port else [])]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen; on "::" for IPv4 too, which the loop alone does not do. Raises ConfigError if a port is taken."""
        for server in self._servers:
            task = asyncio.get_running_loop().create_task(
                server.serve([_socket(server.config.host, server.config.port)])
            )
            self._tasks.append(task)
            while not server.started:
                if task.done():
                    task.result()
                    raise ConfigError(f"cannot serve HTTP on {server.config.host}:{server.config.port}")
                await asyncio.sleep(0.005)

    @property
    def port(self) -> int:
        """The port in use (a free one if 0 was configured)."""
        return _listens_on(self._servers[0])

    @property
    def metrics_port(self) -> int:
        """The port on which `/metrics` is answered."""
        return _listens_on(self._servers[-1])

    async def stop(self) -> None:
        """Finish the requests under way, then close."""
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(*self._tasks)


def _server(app: App, host: str, port: int) -> Server:
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=Protocol,
            loop="none",
            access_log=False,
            log_level="warning",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
        )
    )


def _socket(host: str, port: int) -> socket.socket:
    """Return a listening socket. uvicorn's own ends the process if the port is taken. Raises ConfigError.

    Its connections have TCP_NODELAY whatever the loop: asyncio's sets it only on sockets made with IPPROTO_TCP. Without it the body of an answer, a
    second write, waits for the acknowledgement of the first, 40 ms.
    """
    both = host == "::" and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, port), family=family, dualstack_ipv6=both, backlog=2048)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host} port {port} for HTTP: {error.strerror or error}") from error
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _listens_on(server: Server) -> int:
    return int(server.servers[0].sockets[0].getsockname()[1])


async def _metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
