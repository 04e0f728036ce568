"""Which ports a service opens with and without proxies."""

import asyncio
import socket

import httpx
import pytest

from mailkit.errors import ConfigError
from mailkit.net.connections import Connections, Limits
from mailkit.net.listener import Peer, Refusals
from mailkit.net.ports import Public, direct_port, open_ports
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import create_app
from mailkit.rpc.http_server import HttpSide
from mailkit.testing.speed import patient

REFUSALS = Refusals(b"many\r\n", b"header\r\n")


class Greeting(asyncio.Protocol):
    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(f"{self.peer.address} {self.peer.direct}\r\n".encode())


def public(port: int = 0) -> Public:
    return Public("smtp", port, Greeting, REFUSALS)


async def greeted(host: str, port: int, first: bytes = b"") -> str:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(first)
    line = (await asyncio.wait_for(reader.readline(), patient(10))).decode().strip()
    writer.close()
    return line


async def test_with_proxies_each_port_has_a_direct_twin() -> None:
    opened = open_ports([public()], "127.0.0.1", Connections(Limits()), proxies=["127.0.0.1/32"], direct_offset=7)
    proxied, direct = (each._sockets._port() for each in opened)
    header = b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"
    assert await greeted("127.0.0.1", proxied, header) == "192.0.2.7 False"
    assert await greeted("127.0.0.1", direct) == "127.0.0.1 True"
    for each in opened:
        each.stop()


@pytest.mark.parametrize("proxies", [[], ["127.0.0.1/32"]])
async def test_without_proxies_or_an_offset_there_is_none(proxies: list[str]) -> None:
    opened = open_ports(
        [public()], "127.0.0.1", Connections(Limits()), proxies=proxies, direct_offset=0 if proxies else 7
    )
    assert len(opened) == 1
    opened[0].stop()


@pytest.mark.parametrize(("host", "dial"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1")])
async def test_all_addresses_of_a_pod(host: str, dial: str) -> None:
    """One socket for both families; an IPv4 client's address is an IPv4 address (decision 9)."""
    (opened,) = open_ports([public()], host, Connections(Limits()))
    assert await greeted(dial, opened._sockets._port()) == f"{dial} False"
    opened.stop()


@pytest.mark.parametrize(("host", "dial"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "[::1]")])
async def test_the_probes_reach_the_http_side_by_both_families(host: str, dial: str) -> None:
    """asyncio's own socket for "::" takes IPv6 only."""
    life = Lifecycle()
    life.ready = True
    side = HttpSide(create_app("sample", life), host, 0)
    await side.start()
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"http://{dial}:{side.port}/readyz")).status_code == 200
    await side.stop()


async def test_an_answer_over_http_does_not_wait_for_the_acknowledgement_of_its_fields() -> None:
    """Nagle's algorithm held each body back for 40 ms in a loop of asyncio's own, which the tests of the services use."""
    side = HttpSide(create_app("sample", Lifecycle()), "127.0.0.1", 0)
    await side.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: sample\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), patient(10))
    (connection,) = side._servers[0].server_state.connections
    assert connection.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # type: ignore[union-attr]
    writer.close()
    await side.stop()


async def test_what_cannot_be_opened_is_one_sentence_and_leaves_nothing_open() -> None:
    assert direct_port(25, 10000) == 10025 and direct_port(0, 10000) == 0
    with pytest.raises(ConfigError, match="60000 \\+ 10000 is no port"):
        direct_port(60000, 10000)
    connections = Connections(Limits())
    for proxies in (["nonsense"], ["0.0.0.0/0"], ["::/0"]):
        with pytest.raises(ConfigError, match="POSTRIDER_TRUSTED_PROXIES"):
            open_ports([public()], "127.0.0.1", connections, proxies=proxies)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ConfigError, match="cannot listen"):
            open_ports([public(port), public(taken.getsockname()[1])], "127.0.0.1", connections)
        socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_http_port_that_is_taken_is_one_sentence(host: str) -> None:
    """uvicorn ended the process with a traceback and status 3."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        side = HttpSide(create_app("sample", Lifecycle()), host, taken.getsockname()[1])
        with pytest.raises(ConfigError, match="cannot listen on .* for HTTP: Address already in use"):
            await side.start()
