"""Calls from one service to another: MessagePack over persistent HTTP connections, which distinguishes kinds of failure (decision 3)."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypeVar

import aiohttp
import msgspec
from prometheus_client import Histogram
from pydantic import SecretStr

from mailkit.errors import BadRequest, InternalError, PostriderError, Unanswered, Unavailable
from mailkit.process.config import secret_list
from mailkit.rpc.gathered import Gathered
from mailkit.rpc.refusals import OUTCOMES, outcome_of, refusal
from mailkit.rpc.renewal import RenewedConnections

T = TypeVar("T")

#: Default limits, in octets, of an answer, of a refusal and of a frame of a stream: a larger one is an error of that call
#: (docs/decisions/0048).
LARGEST_ANSWER = 16 * 1024 * 1024
LARGEST_REFUSAL = 64 * 1024
LARGEST_FRAME = 2 * 1024 * 1024

UPSTREAM_SECONDS = Histogram(
    "postrider_upstream_seconds",
    "Calls to other services by outcome: ok, refused (an answer that says no), unproven (no proof of login, or one that has "
    "run out), failed (the other service met an error of its own), away (nothing was done), unanswered",
    ["upstream", "endpoint", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

encoder = msgspec.msgpack.Encoder(uuid_format="bytes")


def encode(question: Any) -> bytes:
    """Encode `question` as MessagePack.

    Raises BadRequest for a value that cannot be encoded (a lone surrogate, a number over 64 bits). For a list
    (`question.items`) the error names the items at fault, so that only they fail (docs/decisions/0029).
    """
    try:
        return encoder.encode(question)
    except (ValueError, OverflowError) as error:
        blamed = [n for n, item in enumerate(getattr(question, "items", ())) if not _can_be_sent(item)]
        raise BadRequest(f"cannot be sent: {error}", items=blamed) from error


def _can_be_sent(item: Any) -> bool:
    try:
        encoder.encode(item)
    except (ValueError, OverflowError):
        return False
    return True


class ServiceClient:
    """Base class of the client packages: one instance per process and service called, closed with `aclose`."""

    upstream = ""
    """The service's name in `postrider_upstream_seconds`; empty if calls are not counted (the operators' clients)."""

    def __init__(self, url: str, token: SecretStr | str, *, timeout: float = 8.0, connections: int = 8) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        secret = b"".join(secret_list(token)[:1]).decode()
        self._connections = RenewedConnections(secret, connections, linger=max(timeout, 60))
        self._seconds: dict[tuple[str, str], Histogram] = {}

    async def call(
        self, path: str, question: Any, answer: type[T], *, timeout: float | None = None, most: int = LARGEST_ANSWER
    ) -> T:
        """POST `question` to a MessagePack endpoint and return its answer, at most `most` octets.

        Raises Unavailable if nothing was done (no connection, 503), Unanswered if it may have been done, and the error
        classes of `mailkit.errors` for what the service answered; BadRequest also for a question that cannot be encoded,
        and InternalError for an answer that is too large.
        """
        data = encode(question)
        raw = await self.send("POST", path, data, {"content-type": "application/msgpack"}, timeout=timeout, most=most)
        return msgspec.msgpack.decode(raw, type=answer)

    async def call_framed(self, path: str, head: Any, *body: bytes, answer: type[T], timeout: float | None = None) -> T:
        """PUT a MessagePack head behind its length (4 bytes), then `body` in pieces, which are not copied; for large bodies.

        Raises the errors of `call`.
        """
        packed = encode(head)
        raw = await self.send(
            "PUT",
            path,
            Gathered([len(packed).to_bytes(4, "big"), packed, *body]),
            {"content-type": "application/octet-stream"},
            timeout=timeout,
        )
        return msgspec.msgpack.decode(raw, type=answer)

    async def json(self, method: str, path: str, content: Any = None, *, timeout: float | None = None) -> Any:
        """Call the JSON (operators') API; None if the answer is empty. Raises the errors of `call`."""
        data = None if content is None else msgspec.json.encode(content)
        raw = await self.send(method, path, data, {"content-type": "application/json"}, timeout=timeout)
        return msgspec.json.decode(raw) if raw else None

    async def page(self, path: str) -> tuple[Any, str]:
        """GET one page of a JSON list; return it and the path of the next one, "" if there is none (Link, RFC 8288)."""
        raw, link = await self._send("GET", path, None, {}, None, LARGEST_ANSWER)
        target, _, relation = link.partition(">")
        return msgspec.json.decode(raw), target.removeprefix("<") if 'rel="next"' in relation else ""

    async def send(
        self,
        method: str,
        path: str,
        data: bytes | Gathered | None,
        headers: dict[str, str],
        *,
        timeout: float | None = None,
        most: int = LARGEST_ANSWER,
    ) -> bytes:
        """Send one request and return the octets of its answer. Raises the errors of `call`."""
        started = time.perf_counter()
        outcome = "unanswered"  # also when the caller is cancelled
        try:
            raw, _ = await self._send(method, path, data, headers, timeout, most)
            outcome = "ok"
            return raw
        except Unanswered:
            raise
        except PostriderError as error:
            outcome = outcome_of(error)
            raise
        finally:
            if self.upstream:
                self._timer(path, outcome).observe(time.perf_counter() - started)

    def _timer(self, endpoint: str, outcome: str) -> Histogram:
        if (endpoint, outcome) not in self._seconds:
            for each in OUTCOMES:  # so that the first failure shows as a step from zero
                self._seconds[endpoint, each] = UPSTREAM_SECONDS.labels(self.upstream, endpoint, each)
        return self._seconds[endpoint, outcome]

    async def _send(
        self,
        method: str,
        path: str,
        data: bytes | Gathered | None,
        headers: dict[str, str],
        timeout: float | None,
        most: int,
    ) -> tuple[bytes, str]:
        """Return the octets of the answer and its Link header."""
        limit = aiohttp.ClientTimeout(total=timeout or self._timeout, sock_connect=3)
        try:
            async with self._connections.session().request(
                method, self.url + path, data=data, headers=headers, timeout=limit
            ) as reply:
                if reply.status < 400:
                    return await _read(reply, most, path), reply.headers.get("link", "")
                raise self._refusal(reply.status, await _read(reply, LARGEST_REFUSAL, path), path)
        except (aiohttp.ClientConnectorError, aiohttp.ServerConnectionError, aiohttp.ConnectionTimeoutError) as error:
            self._connections.renew()
            if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ServerTimeoutError) and not isinstance(
                error, aiohttp.ConnectionTimeoutError
            ):
                raise Unanswered(f"{path} did not answer") from error
            raise Unavailable(f"{self.url} cannot be reached") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._connections.renew()
            raise Unanswered(f"{path} did not answer ({type(error).__name__})") from error

    async def frames(
        self,
        method: str,
        path: str,
        data: bytes | AsyncIterator[bytes] | None,
        *,
        sock_read: float,
        most: int = LARGEST_FRAME,
    ) -> AsyncIterator[bytes]:
        """Yield the frames of a stream as they arrive: 4 bytes of length, then that number of octets, at most `most`.

        The stream may last for hours, and so may sending `data`. Raises the errors of `send`, and Unanswered if the stream
        breaks off or is silent for `sock_read` seconds.
        """
        buffer = bytearray()
        async with aclosing(self.pieces(method, path, data, sock_read=sock_read)) as chunks:
            async for chunk in chunks:
                buffer += chunk
                while len(buffer) >= 4:
                    end = 4 + int.from_bytes(buffer[:4], "big")
                    if end - 4 > most:
                        raise _too_large(path, most)
                    if len(buffer) < end:
                        break
                    yield bytes(buffer[4:end])
                    del buffer[:end]
        if buffer:
            self._connections.renew()
            raise Unanswered(f"{path} broke off")

    async def pieces(
        self, method: str, path: str, data: bytes | AsyncIterator[bytes] | None, *, sock_read: float
    ) -> AsyncGenerator[bytes, None]:
        """Yield the octets of a stream as they arrive; leaving it early closes it. Raises the errors of `frames`."""
        limit = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=sock_read)
        try:
            with self._connections.streaming() as session:
                async with session.request(method, self.url + path, data=data, timeout=limit) as reply:
                    if reply.status >= 400:
                        raise self._refusal(reply.status, await _read(reply, LARGEST_REFUSAL, path), path)
                    async for chunk in reply.content.iter_any():
                        yield chunk
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._connections.renew()
            raise Unavailable(f"{self.url} cannot be reached") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._connections.renew()
            raise Unanswered(f"{path} broke off ({type(error).__name__})") from error

    def _refusal(self, status: int, raw: bytes, path: str) -> PostriderError:
        """Return the error that an answer stands for; after a 503 the connections are renewed."""
        if status == 503:
            self._connections.renew()
        return refusal(status, raw, path)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()


async def _read(reply: aiohttp.ClientResponse, most: int, path: str) -> bytes:
    """Read a whole answer of at most `most` octets. Raises InternalError for a larger one and closes its connection."""
    read = bytearray()
    if (reply.content_length or 0) <= most:
        async for chunk in reply.content.iter_any():
            read += chunk
            if len(read) > most:
                break
        else:
            return bytes(read)
    reply.close()
    raise _too_large(path, most)


def _too_large(path: str, most: int) -> InternalError:
    return InternalError(f"{path} answered more than {most} octets")
