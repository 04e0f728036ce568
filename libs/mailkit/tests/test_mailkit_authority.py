"""Decision 0043: the token and the size are judged before a body is read, whatever the path, and little before that is kept."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import httpx
import msgspec
import pytest
from fastapi import APIRouter
from pydantic import BaseModel, SecretStr
from starlette.requests import Request
from starlette.responses import Response

from mailkit.errors import TooLarge, Unauthorised
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import OPERATORS, add_endpoint, create_app
from mailkit.rpc.authority import LARGEST_FORM, LINGER_SECONDS, Tokens
from mailkit.rpc.client import ServiceClient
from mailkit.rpc.http_server import LARGEST_HEAD, HttpSide
from mailkit.testing.speed import patient

MOST = 100_000
ADMIN, GATEWAY = "Bearer a", "Bearer g"


class Form(BaseModel):
    name: str


class Item(msgspec.Struct, array_like=True):
    octets: bytes


async def _octets(item: Item) -> int:
    return len(item.octets)


@pytest.fixture
async def side() -> AsyncIterator[HttpSide]:
    """A service with one path of each kind: an operators' route, a list, a large body that the route reads itself."""
    app = create_app(
        "sample",
        Lifecycle(),
        tokens=Tokens({"admin": SecretStr("a"), "gateway": SecretStr("g"), "unset": SecretStr("")}),
    )
    routes = APIRouter(prefix="/v1/things", dependencies=OPERATORS)

    @routes.post("", operation_id="add_thing")
    async def add_thing(form: Form) -> str:
        """Add a <thing>."""
        return form.name

    async def large(request: Request) -> Response:
        return Response(str(len(await request.body())))

    app.include_router(routes)
    add_endpoint(app, "/v1/list", Item, _octets, "gateway", most=MOST)
    app.add_route("/v1/large", large, methods=["PUT"])
    app.authority.allow("/v1/large", "gateway", most=MOST)
    side = HttpSide(app, "127.0.0.1", 0)
    await side.start()
    yield side
    await side.stop()


async def head_alone(side: HttpSide, method: str, path: str, *fields: str) -> tuple[int, bytes]:
    """The status and the head of the answer to a request whose body never comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    try:
        writer.write("\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *fields, "", ""]).encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), patient(30))
        return int(head.split()[1]), head.lower()
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/things"), ("POST", "/v1/list"), ("PUT", "/v1/large"), ("POST", "/v1/no-such-path")],
)
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], 401),
        (["Authorization: Bearer wrong"], 401),
        (["Authorization: Bearer "], 401),
        (["Authorization: Basic g"], 401),
        (["Authorization: Bearer {other}"], 403),
    ],
)
@pytest.mark.parametrize("body", ["Content-Length: 200000000", "Transfer-Encoding: chunked"])
async def test_the_answer_comes_before_the_body(
    side: HttpSide, method: str, path: str, fields: Sequence[str], status: int, body: str
) -> None:
    other = "a" if path in ("/v1/list", "/v1/large") else "g"
    found, text = await head_alone(
        side, method, path, body, "Expect: 100-continue", *[f.format(other=other) for f in fields]
    )
    assert found == status
    assert b"100 continue" not in text and b"connection: close" in text and b"problem+json" in text


@pytest.mark.parametrize(
    ("method", "path", "token", "most"),
    [
        ("POST", "/v1/things", ADMIN, LARGEST_FORM),
        ("POST", "/v1/list", GATEWAY, MOST),
        ("PUT", "/v1/large", GATEWAY, MOST),
    ],
)
async def test_a_body_above_the_paths_own_limit_is_413(
    side: HttpSide, method: str, path: str, token: str, most: int
) -> None:
    found, text = await head_alone(side, method, path, f"Content-Length: {most + 1}", f"Authorization: {token}")
    assert found == 413 and b"100 continue" not in text

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(most // 1000 + 2):
            yield bytes(1000)

    async with httpx.AsyncClient() as client:
        url, headers = f"http://127.0.0.1:{side.port}{path}", {"authorization": token}
        assert (await client.request(method, url, headers=headers, content=chunks())).status_code == 413
        assert (await client.request(method, url, headers=headers, content=bytes(most))).status_code != 413


async def test_both_ends_of_a_call_have_keepalives(side: HttpSide) -> None:
    client = ServiceClient(f"http://127.0.0.1:{side.port}", "g")
    assert await client.call("/v1/list", Item(b"four"), int) == 4
    (kept,) = client._connections.session().connector._conns.values()  # type: ignore[union-attr]
    (served,) = side._servers[0].server_state.connections
    for sock in (kept[0][0].transport.get_extra_info("socket"), served.transport.get_extra_info("socket")):  # type: ignore[union-attr]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    await client.aclose()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/elsewhere"])
async def test_what_is_open_takes_no_body(side: HttpSide, path: str) -> None:
    assert (await head_alone(side, "GET", path, "Content-Length: 1"))[0] == 413


async def test_a_client_that_goes_on_sending_still_reads_its_answer(side: HttpSide) -> None:
    """A socket closed with octets unread is reset, and the refusal is lost with it: the rest is read and dropped."""
    for token, error in (("wrong", Unauthorised), ("g", TooLarge)):
        client = ServiceClient(f"http://127.0.0.1:{side.port}", token)
        with pytest.raises(error):
            await client.send("PUT", "/v1/large", bytes(30_000_000), {})
        await client.aclose()


async def test_a_client_that_never_ends_is_cut_off(side: HttpSide) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    writer.write(b"PUT /v1/large HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), patient(30))).split()[1] == b"401"
    started = asyncio.get_running_loop().time()

    async def upload() -> None:
        while True:
            writer.write(b"3e8\r\n" + bytes(1000) + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(upload(), patient(30))
    assert asyncio.get_running_loop().time() - started > LINGER_SECONDS / 2
    writer.close()


async def test_a_refused_request_without_a_body_keeps_its_connection(side: HttpSide) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    for _ in range(2):
        writer.write(b"GET /v1/things HTTP/1.1\r\nHost: here\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), patient(30))
        assert head.split()[1] == b"401" and b"connection: close" not in head.lower()
        await reader.readuntil(b"}")
    writer.close()


@pytest.mark.parametrize(
    "start",
    [
        b"GET /%b HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nX: %b",
        b"PUT /v1/large HTTP/1.1\r\nAuthorization: Bearer g\r\nTransfer-Encoding: chunked\r\n\r\n1;%b",
        b"PUT /v1/large HTTP/1.1\r\nAuthorization: Bearer g\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: %b",
    ],
    ids=["line", "field", "chunk extension", "trailer"],
)
async def test_what_is_no_body_has_a_limit_too(side: HttpSide, start: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    writer.write(start.partition(b"%b")[0])
    sent = 0

    async def more() -> None:
        nonlocal sent
        while True:
            writer.write(b"x" * 1024)
            sent += 1024
            await writer.drain()
            await asyncio.sleep(0)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(more(), patient(60))
    assert sent < LARGEST_HEAD + 16_000_000  # what socket buffers hold besides
    writer.close()


async def test_a_deeply_nested_body_is_a_bad_request(side: HttpSide, capsys: pytest.CaptureFixture[str]) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{side.port}") as client:
        for opening in (b"[", b'{"name":'):
            content = opening * (LARGEST_FORM // len(opening))
            reply = await client.post(
                "/v1/things", content=content, headers={"authorization": ADMIN, "content-type": "application/json"}
            )
            assert reply.status_code == 400
        nested = b"\x92\xc4\x00" + b"\x91" * 50_000 + b"\xc0"  # a second field, which a reader of today skips
        reply = await client.post("/v1/list", content=nested, headers={"authorization": GATEWAY})
        assert reply.status_code == 400
    assert "bug" not in capsys.readouterr().out


async def test_metrics_on_a_port_of_their_own_are_nowhere_else(unused_tcp_port: int) -> None:
    side = HttpSide(create_app("sample", Lifecycle()), "127.0.0.1", 0, unused_tcp_port)
    await side.start()
    try:
        async with httpx.AsyncClient() as client:
            own, measured = f"http://127.0.0.1:{side.port}", f"http://127.0.0.1:{side.metrics_port}"
            assert "postrider_http_refused_total" in (await client.get(measured + "/metrics")).text
            assert (await client.get(own + "/metrics")).status_code == 404
            assert (await client.get(own + "/healthz")).status_code == 200
            for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/v1/things"):
                assert (await client.get(measured + path)).status_code in (401, 404)
    finally:
        await side.stop()


async def test_the_page_of_the_api_needs_no_other_host(side: HttpSide) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{side.port}") as client:
        reply = await client.get("/docs")
    assert "POST /v1/things" in reply.text and "Add a &lt;thing&gt;." in reply.text and "name" in reply.text
    assert "//" not in reply.text and "<script" not in reply.text
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
