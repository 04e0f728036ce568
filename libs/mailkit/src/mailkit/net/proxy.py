"""PROXY protocol headers, versions 1 and 2 (HAProxy's proxy-protocol.txt), read from a socket within size limits.

Which peers may send one, and what happens without one, is decided in `mailkit.net.listener` (decision 9).
"""

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass

from mailkit.mail.address import peer_address

#: proxy-protocol.txt 2.1: "a 108-byte buffer is always enough"; the line is 107 octets at most.
LONGEST_V1 = 107
#: Limit in octets: 16, the addresses, and what a load balancer adds as TLVs; the format's own limit is 64 KB.
LONGEST_V2 = 4096

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V1 = re.compile(rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]{2,45}) ([0-9A-Fa-f:.]{2,45}) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})")
_FAMILIES = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}


class BadHeader(ValueError):
    """The connection does not begin with a PROXY header."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A PROXY header.

    `address` is normalised; None for LOCAL, UNKNOWN and protocols other than TCP: no client is known, so no grant is given.
    `length`: octets of the header on the wire.
    """

    address: str | None
    port: int
    length: int


def parse_header(data: bytes) -> ProxyHeader | None:
    """Parse the header at the start of `data`; None if it is incomplete. Raises BadHeader."""
    if data.startswith(_SIGNATURE[: len(data)]) and data[:1] == b"\r":
        return _version_2(data) if len(data) >= 16 else None
    if data.startswith(b"PROXY "[: len(data)]):
        return _version_1(data)
    raise BadHeader("neither version of the header begins like this")


def _version_1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, LONGEST_V1)
    if end < 0:
        if len(data) >= LONGEST_V1:
            raise BadHeader("the line is too long")
        return None
    line = data[:end]
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return ProxyHeader(None, 0, end + 2)  # 2.1: what follows UNKNOWN is ignored
    match = _V1.fullmatch(line)
    if match is None:
        raise BadHeader("the line has another form")
    kind = ipaddress.IPv4Address if match[1] == b"TCP4" else ipaddress.IPv6Address
    try:
        source, _ = kind(match[2].decode()), kind(match[3].decode())
    except ValueError as error:
        raise BadHeader("an address has another form") from error
    port, own_port = int(match[4]), int(match[5])
    if port > 65535 or own_port > 65535:
        raise BadHeader("a port is too large")
    return ProxyHeader(peer_address(str(source)), port, end + 2)


def _version_2(data: bytes) -> ProxyHeader | None:
    version, command = data[12] >> 4, data[12] & 0xF
    length = 16 + int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1:
        raise BadHeader("unknown version or command")
    if length > LONGEST_V2:
        raise BadHeader("the header is too long")
    if len(data) < length:
        return None
    if command == 0:
        return ProxyHeader(None, 0, length)  # LOCAL: the proxy's own health check
    family = _FAMILIES.get(data[13])
    if family is None:
        return ProxyHeader(None, 0, length)  # UNSPEC, UDP and UNIX name no TCP client
    kind, size = family
    if length < 16 + 2 * size + 4:
        raise BadHeader("too short for its addresses")
    source = socket.inet_ntop(kind, data[16 : 16 + size])
    port = int.from_bytes(data[16 + 2 * size : 18 + 2 * size], "big")
    return ProxyHeader(peer_address(source), port, length)


async def read_header(sock: socket.socket) -> ProxyHeader:
    """Read exactly the PROXY header from the socket and no octet behind it. Raises BadHeader, EOFError, OSError."""
    got = b""
    while True:
        await _readable(sock)
        try:
            seen = sock.recv(4096, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            continue
        if not seen:
            raise EOFError
        header = parse_header(got + seen)
        # An incomplete header extends over all octets seen; consuming them keeps the socket unreadable until more arrive.
        piece = sock.recv(len(seen) if header is None else header.length - len(got))
        got += piece
        if header is not None:
            return header


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def set_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, set_ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)
