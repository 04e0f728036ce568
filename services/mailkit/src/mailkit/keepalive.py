"""TCP keepalives: a connection whose other end is gone without a word ends within a minute and not after hours."""

import socket

IDLE_SECONDS = 30
INTERVAL_SECONDS = 10
PROBES = 3
#: Sent octets that nobody acknowledges for so long end the connection.
UNACKNOWLEDGED_SECONDS = IDLE_SECONDS + INTERVAL_SECONDS * PROBES


def keep_alive(sock: socket.socket) -> None:
    """Set them on a TCP socket; others, and options this system does not have, are left alone."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", IDLE_SECONDS),
        ("TCP_KEEPINTVL", INTERVAL_SECONDS),
        ("TCP_KEEPCNT", PROBES),
        ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_SECONDS * 1000),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
