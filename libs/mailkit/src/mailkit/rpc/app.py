"""The HTTP side of every service: health, metrics, bearer tokens, one error format (RFC 9457), MessagePack list endpoints."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from fastapi import Depends, FastAPI, Request, params
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPBearer
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mailkit.errors import PostriderError
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.report import foreign
from mailkit.rpc import docs_page
from mailkit.rpc.authority import LARGEST_LIST, Authority, Tokens, discard, has_body, replay, whole
from mailkit.rpc.decode import decoded
from mailkit.rpc.disconnect import while_caller_waits
from mailkit.rpc.problems import expected, invalid, problem, raised_by_framework, unexpected

MSGPACK = "application/msgpack"

REQUEST_SECONDS = Histogram(
    "postrider_http_request_seconds",
    "Time from an endpoint's request to its answer (of a stream: to its beginning), by outcome: ok, failed",
    ["endpoint", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)

T = TypeVar("T")
Check = Callable[[], Awaitable[None]]
#: The dependencies of an operators' router: they make `/docs` name the token, which has been checked by then.
OPERATORS: Sequence[params.Depends] = (Depends(HTTPBearer(auto_error=False)),)


#: Answers a request. The body was read before, unless the path reads it itself (`Authority.allow`).
Endpoint = Callable[[Scope, bytes, Receive, Send], Awaitable[None]]


class App(FastAPI):
    """FastAPI behind the checks of token and size.

    List endpoints are called before FastAPI's middleware, which for a small request would be most of the work.
    """

    def __init__(self, tokens: Tokens, **settings: Any) -> None:
        super().__init__(**settings)
        self.authority = Authority(tokens)
        """Rules for callers and sizes, applied before any octet of a body is read."""
        self.endpoints: dict[str, Endpoint] = {}
        """Handlers of POST requests, by path."""
        self.questions: dict[str, type[Any]] = {}
        """Types of the MessagePack questions of these and other endpoints, by path."""
        self.life: Lifecycle | None = None
        """While it drains, each answer closes its connection (`_last`)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if self.life is not None and self.life.stopping.is_set():
            send = _last(send)
        try:
            most = self.authority.admit(scope)
            if self.authority.issued is not None and isinstance(given := scope.get("caller"), bytes):
                scope["caller"] = await self.authority.issued(given)
            body = b"" if most is None else await whole(receive, most)
        except PostriderError as error:
            await _refuse(error, scope, receive, send)
            return
        if scope["method"] == "POST" and (endpoint := self.endpoints.get(scope["path"])):
            await endpoint(scope, body, receive, send)
        else:
            await super().__call__(scope, replay(body, receive), _timed(scope, send))


async def _refuse(error: PostriderError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request whose body is not wanted. If more of the body may follow, the connection is closed after the answer."""
    answer = problem(error.slug, error.status_code, str(error))
    if not has_body(scope):
        await answer(scope, receive, send)
        return
    await send(
        {
            "type": "http.response.start",
            "status": answer.status_code,
            "headers": [*answer.raw_headers, (b"connection", b"close")],
        }
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    await discard(receive)
    await send({"type": "http.response.body", "body": b""})


def _timed(scope: Scope, send: Send) -> Send:
    """Time the endpoints that take no lists, until the answer begins: a stream may last for hours.

    An endpoint is labelled by its route (`/v1/queue/{queue_id}`); no id is ever a label.
    """
    started = time.perf_counter()

    async def timing(message: Message) -> None:
        if message["type"] == "http.response.start" and "endpoint" in scope:  # absent if no route matches the path
            endpoint = str(getattr(scope.get("route"), "path", scope["path"]))
            if endpoint.startswith("/v1/"):
                outcome = "ok" if message["status"] < 400 else "failed"
                REQUEST_SECONDS.labels(endpoint, outcome).observe(time.perf_counter() - started)
        await send(message)

    return timing


def _last(send: Send) -> Send:
    """Make each answer the last of its connection, while a service drains.

    Persistent connections move to another replica before this one closes, and no request meets a closing one (decision 13).
    """

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return closing


def create_app(
    title: str, life: Lifecycle, checks: Mapping[str, Check] | None = None, tokens: Tokens | None = None
) -> App:
    """Create a FastAPI application with `/healthz`, `/readyz`, `/docs` and problem+json errors.

    `/readyz` runs `checks` (does the database answer?): one that raises, or takes over 5 s, makes the service unready.
    """
    app = App(tokens or Tokens({}), title=f"Postrider {title}", version="1", docs_url=None, redoc_url=None)
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

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(docs_page.page(app.openapi()), headers=docs_page.HEADERS)

    app.add_exception_handler(PostriderError, expected)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, raised_by_framework)
    # an error with no handler but that of Exception would be raised again
    for each in (Exception, UnicodeEncodeError, *foreign):
        app.add_exception_handler(each, unexpected)
    return app


def add_endpoint(
    app: App,
    path: str,
    question: type[T],
    answer: Callable[..., Awaitable[Any]],
    *callers: str,
    most: int = LARGEST_LIST,
    names_caller: bool = False,
) -> None:
    """Add a MessagePack endpoint: POST `path` with a `question` of at most `most` octets, answered with what `answer` returns.

    `callers` may use it. `names_caller`: `answer` gets the caller's name as its second argument.
    """
    decoder = msgspec.msgpack.Decoder(question)
    encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
    ok, failed = REQUEST_SECONDS.labels(path, "ok"), REQUEST_SECONDS.labels(path, "failed")

    async def ask(raw: bytes, caller: str, receive: Receive) -> bytes | None:
        asked = decoded(decoder, raw, question)
        found = await while_caller_waits(receive, answer(asked, caller) if names_caller else answer(asked))
        return None if found is None else encode(found)

    async def endpoint(scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            content = await ask(body, scope["caller"], receive)
        except Exception as error:
            failed.observe(time.perf_counter() - started)
            answer_to = expected if isinstance(error, PostriderError) else unexpected
            await (await answer_to(Request(scope), error))(scope, receive, send)
            return
        if content is None:
            return
        ok.observe(time.perf_counter() - started)
        length = str(len(content)).encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", MSGPACK.encode()), (b"content-length", length)],
            }
        )
        await send({"type": "http.response.body", "body": content})

    app.authority.allow(path, *callers, most=most)
    app.endpoints[path] = endpoint
    app.questions[path] = question
