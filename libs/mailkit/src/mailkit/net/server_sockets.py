"""The listening sockets of one port, and the connections that the kernel has for it."""

import asyncio
import errno
import socket
from collections.abc import Callable

from mailkit.errors import ConfigError
from mailkit.net.keepalive import CLIENT_IDLE_SECONDS, keep_alive
from mailkit.process.report import report

BACKLOG = 1024
#: Connections accepted from the kernel in one turn of the loop.
_AT_ONCE = 64
#: Out of descriptors or memory: accepting pauses for this many seconds, since trying again at once would spin.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EXHAUSTED_SECONDS = 0.5

Accepted = Callable[[socket.socket, tuple[str, int]], None]
"""Called with each connection and its client's address and port."""


class ServerSockets:
    """The listening sockets of the listener `name`: one for each address family."""

    def __init__(self, name: str, accepted: Accepted) -> None:
        self._name = name
        self._accepted = accepted
        self._sockets: list[socket.socket] = []
        self._loop = asyncio.get_running_loop()

    def start(self, host: str, port: int) -> int:
        """Listen on `host` (a name, an address, "" or "::" for all) and `port` (0: a free one) and return the port.

        Raises ConfigError in one sentence.
        """
        try:
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, _, _, _, place in sorted(set(found), key=lambda entry: entry[0] == socket.AF_INET6):
                sock = socket.create_server(
                    (place[0], port or self._port()),
                    family=family,
                    backlog=BACKLOG,
                    dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
                )
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit these
                keep_alive(sock, CLIENT_IDLE_SECONDS, 0)
                self._sockets.append(sock)
        except OSError as error:
            self.stop()
            raise ConfigError(f"cannot listen on {host or '*'} port {port} ({self._name}): {error.strerror}") from None
        for sock in self._sockets:
            self._loop.add_reader(sock, self._accept, sock)
        return self._port()

    def _port(self) -> int:
        return int(self._sockets[0].getsockname()[1]) if self._sockets else 0

    def stop(self) -> None:
        """Stop accepting; open connections continue."""
        sockets, self._sockets = self._sockets, []
        for sock in sockets:
            self._loop.remove_reader(sock)
            sock.close()

    def _accept(self, server: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, place = server.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    report(error, f"accept on {self._name}")
                    self._loop.remove_reader(server)
                    self._loop.call_later(_EXHAUSTED_SECONDS, self._accept_again, server)
                    return
                continue  # the client left before it was accepted
            self._accepted(sock, place)

    def _accept_again(self, server: socket.socket) -> None:
        if server in self._sockets:
            self._loop.add_reader(server, self._accept, server)
