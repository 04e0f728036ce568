"""Answers of a service to refused or failed requests: problem documents (RFC 9457)."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailkit.errors import BadRequest, PostriderError
from mailkit.process.report import known, report


def problem(slug: str, status: int, detail: str, items: Sequence[int] = ()) -> JSONResponse:
    """Return an RFC 9457 problem document; `items` are the positions, in a list, of the items at fault."""
    document: dict[str, Any] = {"type": f"urn:postrider:{slug}", "title": slug, "status": status, "detail": detail}
    if items:
        document["items"] = list(items)
    return JSONResponse(document, status, media_type="application/problem+json")


async def expected(_request: Request, error: Exception) -> Response:
    """Answer a PostriderError with its status and text."""
    assert isinstance(error, PostriderError)
    return problem(error.slug, error.status_code, str(error), error.items)


async def invalid(_request: Request, error: Exception) -> Response:
    """Answer a request that FastAPI could not validate with the first error and its field (422)."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])  # never the input: it may hold a password
    return problem("bad-request", 422, f"{where}: {first['msg']}" if where else str(first["msg"]))


async def raised_by_framework(_request: Request, error: Exception) -> Response:
    """Answer an HTTPException of Starlette, such as 404 for an unknown path."""
    assert isinstance(error, HTTPException)
    return problem("http", error.status_code, str(error.detail))


async def unexpected(request: Request, error: Exception) -> Response:
    """Answer an error that no route handles: a database that does not answer, text it cannot store, a bug."""
    if _is_unstorable(error):
        return await expected(request, BadRequest("a text here has a character that cannot be stored"))
    report(error, "a request", path=request.url.path)
    found = known(error)
    return await expected(request, found) if found is not None else problem("error", 500, "internal error")


def _is_unstorable(error: BaseException) -> bool:
    """Return whether Postgres or its driver refused the text of a parameter: NUL, a lone surrogate. Nothing was done."""
    return (
        getattr(error, "sqlstate", "") in ("22021", "22P05")  # character_not_in_repertoire, untranslatable_character
        or isinstance(error, UnicodeEncodeError)
        or isinstance(error.__cause__, UnicodeEncodeError)
    )
