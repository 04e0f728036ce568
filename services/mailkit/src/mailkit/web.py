"""The HTTP side every service has: health, metrics, bearer tokens, one error form (RFC 9457), MessagePack list doors."""

import asyncio
import hmac
import re
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mailkit.callers import while_caller_waits
from mailkit.config import secret_list
from mailkit.errors import BadRequest, Forbidden, PostriderError, TooLarge, Unauthorised
from mailkit.lifecycle import Lifecycle
from mailkit.logs import get_logger
from mailkit.metrics import from_zero
from mailkit.report import foreign, known, report

log = get_logger()

MSGPACK = "application/msgpack"
#: The largest list a door takes: 8 MB of bodies (decision 3) and their envelopes.
LARGEST_LIST = 16 * 1024 * 1024

DOOR_SECONDS = Histogram(
    "postrider_http_door_seconds", "Time from a door's request to its answer (of a stream: to its beginning), by outcome: ok, failed", ["door", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)  # fmt: skip
DOOR_REFUSED = from_zero(
    Counter(
        "postrider_http_refused_total",
        "Requests refused by token: unauthorised, forbidden, unproven (no login's proof for the mailbox)",
        ["reason"],
    ),
    ("unauthorised", "forbidden", "unproven"),
)

_PLACE = re.compile(r" - at `\$\[0\]\[(\d{1,6})\][^`]*`\Z")

T = TypeVar("T")
Check = Callable[[], Awaitable[None]]


class Tokens:
    """Who may knock: bearer tokens by caller (`admin`, `gateway`, …), each a comma list of which any is accepted. An empty
    one admits nobody."""

    def __init__(self, tokens: Mapping[str, SecretStr]) -> None:
        self._tokens = [(name, part) for name, token in tokens.items() for part in secret_list(token)]

    def caller(self, request: Request) -> str:
        """The name of the caller whose token came with `request`; compared in constant time. Raises Unauthorised."""
        return self.named(request.headers.get("authorization", "").encode())

    def named(self, authorization: bytes) -> str:
        """The same for the header's octets."""
        kind, _, given = authorization.partition(b" ")
        found = ""
        if kind.lower() == b"bearer" and given:
            for name, token in self._tokens:
                if hmac.compare_digest(token, given):
                    found = name
        if not found:
            DOOR_REFUSED.labels("unauthorised").inc()
            raise Unauthorised("a valid bearer token is required")
        return found

    def require(self, request: Request, *callers: str) -> str:
        """The caller, who has to be one of `callers`. Raises Unauthorised, Forbidden."""
        return _allowed(self.caller(request), callers)

    def require_header(self, authorization: bytes, *callers: str) -> str:
        """The same for the header's octets."""
        return _allowed(self.named(authorization), callers)

    def only(self, *callers: str) -> Callable[[Request], str]:
        """A FastAPI dependency that requires one of `callers`."""

        def check(request: Request) -> str:
            return self.require(request, *callers)

        return check


def _allowed(name: str, callers: tuple[str, ...]) -> str:
    if name not in callers:
        DOOR_REFUSED.labels("forbidden").inc()
        raise Forbidden(f"{name} may not use this door")
    return name


Door = Callable[[Scope, Receive, Send], Awaitable[None]]


class App(FastAPI):
    """FastAPI, with the list doors in front of its middleware: for a small request that is most of the work."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.doors: dict[str, Door] = {}
        """What answers POST, by path."""
        self.life: Lifecycle | None = None
        """Its drain asks callers to go: see `_last`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.life is not None and self.life.stopping.is_set():
            send = _last(send)
        if scope["type"] == "http" and scope["method"] == "POST" and (door := self.doors.get(scope["path"])):
            await door(scope, receive, send)
        elif scope["type"] == "http":
            await super().__call__(scope, receive, _timed(scope, send))
        else:
            await super().__call__(scope, receive, send)


def _timed(scope: Scope, send: Send) -> Send:
    """The doors that are no lists, and the operators': timed until their answer begins, since a stream may last for hours.
    A door is its route: `/v1/queue/{queue_id}`, and no id is ever a label."""
    started = time.perf_counter()

    async def timing(message: Message) -> None:
        if message["type"] == "http.response.start" and "endpoint" in scope:  # a path that no route has is no door
            door = str(getattr(scope.get("route"), "path", scope["path"]))
            if door.startswith("/v1/"):
                outcome = "ok" if message["status"] < 400 else "failed"
                DOOR_SECONDS.labels(door, outcome).observe(time.perf_counter() - started)
        await send(message)

    return timing


def _last(send: Send) -> Send:
    """While a service drains, each answer is its connection's last: kept connections move to another replica before
    this one closes, and no request meets a closing one (decision 13)."""

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return closing


def create_app(title: str, life: Lifecycle, checks: Mapping[str, Check] | None = None) -> App:
    """A FastAPI application with `/healthz`, `/readyz`, `/metrics`, `/docs` and problem+json errors.

    `checks` are asked by `/readyz` (the database answers …); one that raises makes the service unready.
    """
    app = App(title=f"Postrider {title}", version="1", redoc_url=None)
    app.life = life

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        problems = {} if life.ready and not life.stopping.is_set() else {"service": "starting or stopping"}
        for name, check in (checks or {}).items():
            try:
                await asyncio.wait_for(check(), 5)
            except Exception as error:
                problems[name] = type(error).__name__
        return JSONResponse({"ready": not problems, "problems": problems}, 503 if problems else 200)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.add_exception_handler(PostriderError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for each in (Exception, UnicodeEncodeError, *foreign):  # what Exception alone answers is raised once more
        app.add_exception_handler(each, unexpected)
    return app


def problem(slug: str, status: int, detail: str, items: Sequence[int] = ()) -> JSONResponse:
    """An RFC 9457 problem document; `items` are the positions in a list that it is about."""
    document: dict[str, Any] = {"type": f"urn:postrider:{slug}", "title": slug, "status": status, "detail": detail}
    if items:
        document["items"] = list(items)
    return JSONResponse(document, status, media_type="application/problem+json")


async def _expected(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PostriderError)
    return problem(error.slug, error.status_code, str(error), error.items)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])  # never the input: it may hold a password
    return problem("bad-request", 422, f"{where}: {first['msg']}" if where else str(first["msg"]))


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem("http", error.status_code, str(error.detail))


async def unexpected(request: Request, error: Exception) -> Response:
    """What no route answers for: a database that is away, text that it cannot hold, a bug."""
    if _is_unstorable(error):
        return await _expected(request, BadRequest("a text here has a character that cannot be stored"))
    report(error, "a request", path=request.url.path)
    found = known(error)
    return await _expected(request, found) if found is not None else problem("error", 500, "internal error")


def _is_unstorable(error: BaseException) -> bool:
    """Whether Postgres or its driver refused the text of a parameter: NUL, a lone surrogate. Nothing was done."""
    return (
        getattr(error, "sqlstate", "") in ("22021", "22P05")  # character_not_in_repertoire, untranslatable_character
        or isinstance(error, UnicodeEncodeError) or isinstance(error.__cause__, UnicodeEncodeError)
    )  # fmt: skip


async def read_body(request: Request, most: int = LARGEST_LIST) -> bytes:
    """The request's body, at most `most` bytes. Raises TooLarge."""
    chunks: list[bytes] = []
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > most:
            raise TooLarge(f"a request here holds at most {most} bytes")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def add_door(
    app: App,
    path: str,
    question: type[T],
    answer: Callable[..., Awaitable[Any]],
    tokens: Tokens,
    *callers: str,
    encoder: msgspec.msgpack.Encoder | None = None,
    names_caller: bool = False,
) -> None:
    """A MessagePack door: POST `path` with a `question`, answered by what `answer` returns. `names_caller`: `answer` is
    given the caller's name behind the question."""
    decode = msgspec.msgpack.Decoder(question).decode
    encode = (encoder or msgspec.msgpack.Encoder(uuid_format="bytes")).encode
    listed = question.__struct_fields__[:1] == ("items",)  # type: ignore[attr-defined]
    ok, failed = DOOR_SECONDS.labels(path, "ok"), DOOR_SECONDS.labels(path, "failed")

    async def ask(scope: Scope, receive: Receive) -> bytes | None:
        caller = tokens.require_header(_authorization(scope), *callers)
        raw = await _whole(receive)
        try:
            asked = decode(raw)
        except (ValueError, RecursionError) as error:  # also text that is not UTF-8
            raise BadRequest(f"not a {question.__name__}: {error}", items=_named_by(error) if listed else ()) from None
        found = await while_caller_waits(receive, answer(asked, caller) if names_caller else answer(asked))
        return None if found is None else encode(found)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            content = await ask(scope, receive)
        except Exception as error:
            failed.observe(time.perf_counter() - started)
            expected = isinstance(error, PostriderError)
            request = Request(scope)
            await (await (_expected if expected else unexpected)(request, error))(scope, receive, send)
            return
        if content is None:
            return
        ok.observe(time.perf_counter() - started)
        length = str(len(content)).encode()
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", MSGPACK.encode()), (b"content-length", length)]})  # fmt: skip
        await send({"type": "http.response.body", "body": content})

    app.doors[path] = door


def _named_by(error: Exception) -> list[int]:
    """The item that msgspec's error is about: the place stands last, and a record's first field is `[0]`."""
    found = _PLACE.search(str(error))
    return [int(found[1])] if found else []


def _authorization(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bytes(value)
    return b""


async def _whole(receive: Receive) -> bytes:
    """A list's octets. Raises TooLarge, and BadRequest when the caller left in the middle."""
    chunks: list[bytes] = []
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the request ended early")
        chunk = message.get("body", b"")
        total += len(chunk)
        if total > LARGEST_LIST:
            raise TooLarge(f"a request here holds at most {LARGEST_LIST} bytes")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class HttpSide:
    """uvicorn inside a service's own loop, next to its listeners, under the service's signals."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        config = uvicorn.Config(
            app, host=host, port=port, http="httptools", loop="none", access_log=False, log_level="warning",
            timeout_keep_alive=75, timeout_graceful_shutdown=3, lifespan="off", ws="none", server_header=False,
            proxy_headers=False,
        )  # fmt: skip
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; on "::" for IPv4 too, which the loop alone would not. Raises OSError when the port is taken."""
        config, sockets = self._server.config, None
        if config.host == "::" and socket.has_dualstack_ipv6():
            address = (config.host, config.port)
            sockets = [socket.create_server(address, family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048)]
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError(f"cannot listen on {self._server.config.host}:{self._server.config.port}")
            await asyncio.sleep(0.005)

    @property
    def port(self) -> int:
        """The port that is listened on (a free one when 0 was asked for)."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Finish requests in hand, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    """Signals belong to the service's lifecycle; a taken port is an exception, not an exit."""

    def install_signal_handlers(self) -> None:
        return

    def capture_signals(self) -> Any:
        import contextlib

        return contextlib.nullcontext()
