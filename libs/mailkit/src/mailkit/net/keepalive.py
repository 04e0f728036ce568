"""TCP keepalives: a connection whose peer has vanished ends within a minute instead of hours."""

import socket

IDLE_SECONDS = 30
INTERVAL_SECONDS = 10
PROBES = 3
#: Idle seconds before a mail client or a remote host is probed: each probe wakes a phone's radio.
CLIENT_IDLE_SECONDS = 120
#: Seconds after which sent octets that are not acknowledged end the connection.
UNACKNOWLEDGED_SECONDS = IDLE_SECONDS + INTERVAL_SECONDS * PROBES


def keep_alive(sock: socket.socket, idle: int = IDLE_SECONDS, unacknowledged: int = UNACKNOWLEDGED_SECONDS) -> None:
    """Enable keepalives on a TCP socket, with the first probe after `idle` seconds.

    Other sockets and options that the system does not have are skipped. `unacknowledged` 0: the system's default (a quarter
    of an hour), for clients that may stop reading for minutes.
    """
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
