"""TCP keepalives: a connection whose other end is gone without a word ends within a minute and not after hours."""

import socket

IDLE_SECONDS = 30
INTERVAL_SECONDS = 10
PROBES = 3
#: Idle seconds before a mail client or a remote host is probed: a phone's radio is woken for it.
CLIENT_IDLE_SECONDS = 120
#: Sent octets that are not acknowledged for this long end the connection.
UNACKNOWLEDGED_SECONDS = IDLE_SECONDS + INTERVAL_SECONDS * PROBES


def keep_alive(sock: socket.socket, idle: int = IDLE_SECONDS, unacknowledged: int = UNACKNOWLEDGED_SECONDS) -> None:
    """Set them on a TCP socket, the first probe after `idle` seconds; others, and options this system does not have, are left
    alone. `unacknowledged` 0: the system's own (a quarter of an hour), for who may stop reading for minutes."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", idle),
        ("TCP_KEEPINTVL", INTERVAL_SECONDS),
        ("TCP_KEEPCNT", PROBES),
        ("TCP_USER_TIMEOUT", unacknowledged * 1000),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
