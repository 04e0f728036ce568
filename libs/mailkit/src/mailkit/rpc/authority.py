"""Checks of an HTTP request before its body is read: the caller's token, then the body's size (decision 0043)."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope

from mailkit.errors import BadRequest, Forbidden, TooLarge, Unauthorised
from mailkit.process.config import secret_list
from mailkit.process.metrics import from_zero
from mailkit.rpc.caller import FIRST_OPERATOR, Caller

#: Limit of a list, in octets: 8 MB of bodies (decision 3) and their envelopes.
LARGEST_LIST = 16 * 1024 * 1024
#: Limit of a request of the operators' API, in octets: a forward with 100 targets needs a quarter of it.
LARGEST_FORM = 256 * 1024
#: Seconds for which a refused client may go on sending before its connection is cut: closing at once would lose the answer.
LINGER_SECONDS = 2.0

REFUSED = from_zero(
    Counter(
        "postrider_http_refused_total",
        "Requests refused by token: unauthorised, forbidden, unproven (no login's proof for the mailbox)",
        ["reason"],
    ),
    ("unauthorised", "forbidden", "unproven"),
)


class Tokens:
    """Bearer tokens by caller (`admin`, `gateway`, …), each a comma list; any part of it is accepted. Empty: no caller."""

    def __init__(self, tokens: Mapping[str, SecretStr]) -> None:
        self._tokens = [(name, part) for name, token in tokens.items() for part in secret_list(token)]

    def named(self, authorization: bytes) -> str:
        """Return the caller whose token is in the Authorization header. Raises Unauthorised."""
        found = self.find(bearer(authorization))
        if not found:
            raise unauthorised()
        return found

    def find(self, given: bytes) -> str:
        """Return the caller with this token, compared in constant time; "" if there is none."""
        found = ""
        if given:
            for name, token in self._tokens:
                if hmac.compare_digest(token, given):
                    found = name
        return found


def bearer(authorization: bytes) -> bytes:
    """Return the token of an Authorization header, b"" if it has none."""
    kind, _, given = authorization.partition(b" ")
    return given if kind.lower() == b"bearer" else b""


def unauthorised() -> Unauthorised:
    """Count a request without a valid token and return its error."""
    REFUSED.labels("unauthorised").inc()
    return Unauthorised("a valid bearer token is required")


@dataclass(frozen=True)
class Rule:
    """The callers of a path and the limit of its body in octets; None: a stream, which its reader bounds."""

    callers: frozenset[str]
    most: int | None


_OPERATORS = Rule(frozenset({"admin"}), LARGEST_FORM)
_OPEN = Rule(frozenset(), 0)
#: How tokens begin that a service has issued or signed; the others are settings.
ISSUED = b"pt_"


class Authority:
    """The rules of one service. Paths without a rule: the operators' under `/v1/`, elsewhere open but without a body."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._rules: dict[str, Rule] = {}
        self.issued: Callable[[bytes], Awaitable[Caller]] | None = None
        """Returns the caller of a token that begins with ISSUED, on the operators' paths; raises Unauthorised. None: there are none."""

    def allow(self, path: str, *callers: str, most: int | None = LARGEST_LIST) -> None:
        """Let `callers` send requests of at most `most` octets to exactly `path`; None: its handler reads an endless body."""
        self._rules[path] = Rule(frozenset(callers), most)

    def admit(self, scope: Scope) -> int | None:
        """Return the limit of the request's body in octets (None: a stream) and set `scope["caller"]` to the caller's name.

        On the operators' paths it is a `Caller`, or the token, as bytes, of which `issued` has to return the caller.
        Raises Unauthorised, Forbidden, and TooLarge for a Content-Length above the limit.
        """
        path = scope["path"]
        rule = self._rules.get(path) or (_OPERATORS if path.startswith("/v1/") else _OPEN)
        authorization, length = b"", 0
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-length":
                length = int(value)  # the HTTP parser has checked that it is a number
        given = bearer(authorization) if rule is _OPERATORS and self.issued is not None else b""
        if given.startswith(ISSUED) and not self._tokens.find(given):
            scope["caller"] = given
        elif rule is not _OPEN:
            caller = self._tokens.named(authorization)
            if caller not in rule.callers:
                REFUSED.labels("forbidden").inc()
                raise Forbidden(f"{caller} may not send this request")
            scope["caller"] = FIRST_OPERATOR if rule is _OPERATORS else caller
        if rule.most is not None and length > rule.most:
            raise _too_large(rule.most)
        return rule.most


async def whole(receive: Receive, most: int) -> bytes:
    """Read a request's body. Raises TooLarge at the first octet above `most`, BadRequest if the client leaves early."""
    chunks: list[bytes] = []
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the request ended early")
        chunk = message.get("body", b"")
        total += len(chunk)
        if total > most:
            raise _too_large(most)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return an ASGI `receive` that yields `body`, which was read already, and then what follows it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def has_body(scope: Scope) -> bool:
    """Return whether the request's headers announce a body."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def discard(receive: Receive) -> None:
    """Read and drop what a refused client still sends, until its end or for LINGER_SECONDS."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    except TimeoutError:
        pass


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"a request here holds at most {most} bytes")
