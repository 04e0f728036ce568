"""Endpoints whose answer is a stream: pieces that are sent as they come, or one body where there is little of it."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from fastapi import Request
from starlette.types import Receive, Scope, Send

from mailkit.errors import PostriderError
from mailkit.process.report import report
from mailkit.rpc.app import REQUEST_SECONDS, App
from mailkit.rpc.authority import LARGEST_LIST
from mailkit.rpc.decode import decoded
from mailkit.rpc.disconnect import while_caller_waits
from mailkit.rpc.problems import expected, unexpected

#: Octets of a first piece up to which the second one is waited for: if there is none, the answer is sent in one write.
SHORT = 65536


def add_stream(
    app: App,
    path: str,
    question: type[Any],
    found: Callable[[Any], AsyncGenerator[bytes, None]],
    *callers: str,
    media_type: str,
) -> None:
    """Add an endpoint: POST `path` with a MessagePack `question`, answered with the pieces that `found` yields.

    `callers` may use it. An error before the answer begins is an HTTP error; a later one closes the connection.
    """
    decoder = msgspec.msgpack.Decoder(question)
    ok, failed = REQUEST_SECONDS.labels(path, "ok"), REQUEST_SECONDS.labels(path, "failed")
    kind = (b"content-type", media_type.encode())

    async def endpoint(scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        has_begun = False

        async def begin(*headers: tuple[bytes, bytes]) -> None:
            nonlocal has_begun
            ok.observe(time.perf_counter() - started)
            has_begun = True
            await send({"type": "http.response.start", "status": 200, "headers": [kind, *headers]})

        async def answer() -> None:
            async with aclosing(found(decoded(decoder, body, question))) as pieces:
                first = await anext(pieces, b"")
                second = await anext(pieces, None) if len(first) <= SHORT else b""
                if second is None:
                    await begin((b"content-length", b"%d" % len(first)))
                    await send({"type": "http.response.body", "body": first})
                    return
                await begin()
                for piece in (first, second):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})

        try:
            await while_caller_waits(receive, answer())
        except Exception as error:
            if has_begun:
                report(error, "an answer", path=path)
                return  # the server closes a connection whose answer is not complete
            failed.observe(time.perf_counter() - started)
            answer_to = expected if isinstance(error, PostriderError) else unexpected
            await (await answer_to(Request(scope), error))(scope, receive, send)

    app.authority.allow(path, *callers, most=LARGEST_LIST)
    app.endpoints[path] = endpoint
    app.questions[path] = question
