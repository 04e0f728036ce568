"""Requests to a JSON API with a NUL or a lone surrogate in each text field, generated from its OpenAPI document."""

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

NUL, SURROGATE = "a\x00b", "a\ud800b"
#: Values of the other fields; most names are addresses, and a domain or an entry may be one.
_PLAIN = {"uuid": "00000000-0000-0000-0000-000000000001", "date-time": "2026-03-01T12:00:00Z", "": "x@a.test"}

Request = tuple[str, str, bytes | None]


def requests(document: dict[str, Any]) -> Iterator[Request]:
    """Yield (method, path with query, body) of each request under /v1."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            plain = _example(document, body) if body else None
            places = [each for each in operation.get("parameters", ()) if each["in"] in ("path", "query")]
            for bad in (NUL, SURROGATE):
                for each in places:
                    yield method.upper(), _url(path, places, each["name"], bad), _encode(plain)
                for at in _texts(plain):
                    yield method.upper(), _url(path, places), _encode(_with(plain, at, bad))


async def answer(url: str, token: str, request: Request) -> tuple[int, bytes]:
    """Send a request, check that a refusal is a problem document (RFC 9457), and return status and content."""
    method, path, body = request
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        # encoded already: octets that are not UTF-8 have to stay as they are
        session.request(method, URL(url + path, encoded=True), data=body) as reply,
    ):
        content = await reply.read()
        if reply.status >= 400:
            assert reply.content_type == "application/problem+json", (request, reply.status, content)
            assert json.loads(content)["status"] == reply.status
        return reply.status, content


async def check(url: str, token: str, document: dict[str, Any]) -> int:
    """Send all `requests`, check that each is refused, and return their number."""
    count = 0
    for request in requests(document):
        status, content = await answer(url, token, request)
        read_as_fffd = "?" in request[1] and "%ED" in request[1] and status == 200
        assert 400 <= status < 500 or read_as_fffd, (request, status, content)
        count += 1
    return count


def _url(path: str, places: list[dict[str, Any]], name: str = "", bad: str = "") -> str:
    query = ""
    for each in places:
        value = quote(bad.encode("utf-8", "surrogatepass")) if each["name"] == name else quote(_value(each["schema"]))
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", value)
        elif each["name"] == name:
            query = f"?{name}={value}"
    return path + query


def _value(schema: dict[str, Any]) -> str:
    return _PLAIN.get(schema.get("format", ""), _PLAIN[""])


def _example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Return a value of `schema` with all its fields."""
    if "$ref" in schema:
        return _example(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return _example(document, schema["anyOf"][0])
    if "enum" in schema or "const" in schema:
        return schema.get("const") or schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "object":
        return {name: _example(document, each) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [_example(document, schema["items"])]
    return {"integer": schema.get("minimum", 1), "number": 1, "boolean": False}.get(kind, _value(schema))


def _texts(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(each, (*at, key))


def _with(value: Any, at: tuple[Any, ...], bad: str) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = bad
    return changed


def _encode(value: Any) -> bytes | None:
    return None if value is None else json.dumps(value).encode()
