"""PROXY headers: what each form means, what is refused, and that no bytes break the parser."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.net.proxy import LONGEST_V1, LONGEST_V2, BadHeader, ProxyHeader, parse_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(family: int, addresses: bytes, *, command: int = 1, version: int = 2, length: int | None = None) -> bytes:
    size = len(addresses) if length is None else length
    return SIGNATURE + bytes([version << 4 | command, family]) + size.to_bytes(2, "big") + addresses


def tcp4(source: str, port: int) -> bytes:
    return socket.inet_aton(source) + socket.inet_aton("10.0.0.9") + struct.pack(">HH", port, 25)


def tcp6(source: str, port: int) -> bytes:
    return socket.inet_pton(socket.AF_INET6, source) + bytes(16) + struct.pack(">HH", port, 25)


@pytest.mark.parametrize(
    ("raw", "address", "port"),
    [
        (b"PROXY TCP4 192.0.2.1 10.0.0.9 56324 25\r\n", "192.0.2.1", 56324),
        (b"PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n", "2001:db8::1", 0),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1\r\n", "192.0.2.1", 1),
        (b"PROXY UNKNOWN\r\n", None, 0),
        (b"PROXY UNKNOWN what ever 1 2\r\n", None, 0),
        (v2(0x11, tcp4("192.0.2.1", 4000)), "192.0.2.1", 4000),
        (v2(0x11, tcp4("192.0.2.1", 4000) + b"\x04\x00\x03abc"), "192.0.2.1", 4000),
        (v2(0x21, tcp6("2001:db8::1", 9)), "2001:db8::1", 9),
        (v2(0x21, tcp6("::ffff:192.0.2.1", 9)), "192.0.2.1", 9),
        (v2(0x00, b""), None, 0),
        (v2(0x11, tcp4("192.0.2.1", 4000), command=0), None, 0),
        (v2(0x12, tcp4("192.0.2.1", 4000)), None, 0),
        (v2(0x31, bytes(216)), None, 0),
    ],
)
def test_forms(raw: bytes, address: str | None, port: int) -> None:
    assert parse_header(raw + b"EHLO me\r\n") == ProxyHeader(address, port, len(raw))
    for end in range(len(raw)):
        assert parse_header(raw[:end]) is None, "an unfinished header is waited for"


@pytest.mark.parametrize(
    "raw",
    [
        b"EHLO client.example\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\r\nPROXY",
        b"proxy TCP4 192.0.2.1 10.0.0.9 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.9 1\r\n",
        b"PROXY TCP4  192.0.2.1 10.0.0.9 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.9 1 2 \r\n",
        b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 10.0.0.9 1 2\r\n",
        b"PROXY TCP4 192.0.2.256 10.0.0.9 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.9 65536 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.9 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.9 1 2\n" + b"x" * 200,
        b"PROXY UNKNOWNX\r\n",
        b"PROXY UNKNOWN " + b"x" * LONGEST_V1,
        v2(0x11, tcp4("192.0.2.1", 1), version=1),
        v2(0x11, tcp4("192.0.2.1", 1), command=2),
        v2(0x11, b"\x00" * 8),
        v2(0x21, tcp4("192.0.2.1", 1)),
        v2(0x11, b"", length=LONGEST_V2),
    ],
)
def test_refused(raw: bytes) -> None:
    with pytest.raises(BadHeader):
        parse_header(raw)


@given(
    st.binary(max_size=300)
    | st.binary(max_size=200).map(lambda tail: b"PROXY " + tail)
    | st.binary(max_size=300).map(lambda tail: SIGNATURE + tail)
)
def test_any_bytes(raw: bytes) -> None:
    """Refused, unfinished or understood; never anything else, and never longer than what was given."""
    try:
        header = parse_header(raw)
    except BadHeader:
        return
    if header is not None:
        assert header.length <= len(raw)
        assert parse_header(raw[: header.length]) == header
    else:
        assert len(raw) < LONGEST_V2


@given(st.ip_addresses(v=4), st.integers(0, 65535), st.binary(max_size=50))
def test_both_versions_say_the_same(address: object, port: int, behind: bytes) -> None:
    one = f"PROXY TCP4 {address} 10.0.0.9 {port} 25\r\n".encode()
    two = v2(0x11, tcp4(str(address), port))
    assert parse_header(one + behind) == ProxyHeader(str(address), port, len(one))
    assert parse_header(two + behind) == ProxyHeader(str(address), port, len(two))
