"""The acceptor of all protocols: accept, identify the client (PROXY header), apply limits, TLS, protocol (decision 9).

The header is read from the socket before TLS begins, so it works in front of implicit TLS too.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from mailkit.mail.address import BadAddress, Networks, peer_address
from mailkit.net.connections import Connections
from mailkit.net.internal import internal_address, is_internal
from mailkit.net.proxy import BadHeader, read_header
from mailkit.net.server_sockets import ServerSockets
from mailkit.net.tls_versions import negotiated, warn_of_old
from mailkit.process.logs import get_logger
from mailkit.process.report import report

log = get_logger()

#: Deadline for the PROXY header, in seconds: a proxy sends it at once (decision 9).
HEADER_SECONDS = 5.0
HANDSHAKE_SECONDS = 30.0

OPEN = Gauge("postrider_listener_connections_open", "Open connections", ["listener"])
ACCEPTED = Counter("postrider_listener_accepted_total", "Connections handed to the protocol", ["listener"])
_REASONS = ("not_a_proxy", "no_header", "too_many", "too_many_from_one", "too_fast", "handshake", "gone")
REFUSED = Counter(
    "postrider_listener_refused_total",
    f"Connections ended before the protocol, by reason: {', '.join(_REASONS)}",
    ["listener", "reason"],
)
SESSION_SECONDS = Histogram(
    "postrider_listener_session_seconds",
    "Length of connections, from the first octet to the end",
    ["listener"],
    buckets=(0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 86400),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """The client of a connection.

    `address` is normalised (decision 9); None if no client is known or the address is one of our proxies, or one that only
    internal listeners give: no grant may be given to it then. `port` is the client's, 0 if unknown. `direct`: the client connected without a proxy
    (`mailkit.net.ports`), and no grant is given to it or honoured for it, whatever its address.
    """

    address: str | None
    port: int
    listener: str
    implicit_tls: bool
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Refusals:
    """Reply lines of a protocol that precede a close, each with its line ending; never sent under implicit TLS."""

    too_many: bytes
    no_header: bytes


Factory = Callable[[Peer], asyncio.Protocol]
#: Returns the TLS context of the listener with this name.
Context = Callable[[str], ssl.SSLContext]


class Listener:
    """A listening port of one protocol.

    `tls` returns the context for implicit TLS and is called for each connection; None: plain text. With `proxies`, only
    they may connect, and each connection begins with their PROXY header. `internal`: its clients have addresses of their own
    (`mailkit.net.internal`), whose grants count on such listeners only. `factory` makes the protocol of a client;
    `connection_lost` of its instances must be replaceable, which is how the end of a connection is noticed.
    """

    def __init__(
        self,
        name: str,
        factory: Factory,
        refusals: Refusals,
        connections: Connections,
        *,
        proxies: Networks = Networks(),  # immutable
        tls: Context | None = None,
        direct: bool = False,
        internal: bool = False,
    ) -> None:
        self.name = name
        self._internal = internal
        self._direct = direct
        self._factory = factory
        self._refusals = refusals
        self._connections = connections
        self._proxies = proxies
        self._tls = tls
        self._sockets = ServerSockets(name, self._accept)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._open = OPEN.labels(name)
        self._accepted = ACCEPTED.labels(name)
        self._seconds = SESSION_SECONDS.labels(name)
        for reason in _REASONS:
            REFUSED.labels(name, reason)  # every reason exists from the start, with the value 0

    def start(self, host: str, port: int) -> int:
        """Listen as `ServerSockets.start` does."""
        return self._sockets.start(host, port)

    def stop(self) -> None:
        """Stop accepting; open connections continue."""
        self._sockets.stop()

    def _accept(self, sock: socket.socket, place: tuple[str, int]) -> None:
        task = self._loop.create_task(self._admit(sock, place))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self, sock: socket.socket, place: tuple[str, int]) -> None:
        try:
            sock.setblocking(False)
            peer = await self._identify(sock, place)
            if peer is not None:
                await self._begin(sock, peer)
            else:
                sock.close()
        except asyncio.CancelledError:
            sock.close()
            raise
        except Exception as error:
            sock.close()
            if isinstance(error, OSError | BadAddress):
                REFUSED.labels(self.name, "gone").inc()
            else:
                report(error, f"admit on {self.name}")

    async def _identify(self, sock: socket.socket, place: tuple[str, int]) -> Peer | None:
        """Identify the client; None if it was refused."""
        address: str | None = peer_address(place[0])
        port = place[1]
        if self._proxies:
            if address not in self._proxies:
                REFUSED.labels(self.name, "not_a_proxy").inc()
                return None
            try:
                header = await asyncio.wait_for(read_header(sock), HEADER_SECONDS)
            except (BadHeader, TimeoutError, EOFError):
                self._refuse(sock, "no_header", self._refusals.no_header)
                return None
            address, port = header.address, header.port
            if address in self._proxies:
                address = None
        if address is not None:
            if self._internal:
                address = internal_address(address)
            elif is_internal(address):
                address = None
        return Peer(address, port, self.name, self._tls is not None, self._direct)

    def _refuse(self, sock: socket.socket, reason: str, words: bytes) -> None:
        """Send the refusal, unless that needs waiting or TLS.

        What the client has sent is read before the close: closing with unread octets resets the connection, and the client
        would not see the refusal.
        """
        REFUSED.labels(self.name, reason).inc()
        try:
            if self._tls is None:
                sock.send(words)
            sock.shutdown(socket.SHUT_WR)
            sock.recv(65536)
        except OSError:
            pass

    async def _begin(self, sock: socket.socket, peer: Peer) -> None:
        reason = self._connections.take(peer.address)
        if reason is not None:
            self._refuse(sock, reason, self._refusals.too_many)
            sock.close()
            return
        self._open.inc()
        started = self._loop.time()
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._open.dec()
                self._seconds.observe(self._loop.time() - started)
                self._connections.give_back(peer.address)

        def make() -> asyncio.Protocol:
            protocol = self._factory(peer)
            lost = protocol.connection_lost

            def connection_lost(error: Exception | None) -> None:
                end()
                lost(error)

            protocol.connection_lost = connection_lost  # type: ignore[method-assign, assignment]
            self._accepted.inc()
            return protocol

        context = self._tls(self.name) if self._tls is not None else None
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                make, sock, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None
            )
        except (OSError, EOFError):
            end()
            sock.close()
            REFUSED.labels(self.name, "handshake" if context else "gone").inc()
        except BaseException:
            end()
            raise
        else:
            warn_of_old(negotiated(transport), self.name, peer.address)

    async def cut(self) -> None:
        """Cancel connections that have not reached their protocol yet (at the end of a drain)."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
