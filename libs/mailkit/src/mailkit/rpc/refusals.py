"""Refusals of other services: the error that each stands for, and the outcome it is counted as."""

import msgspec

from mailkit.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InternalError,
    NoSpace,
    NotFound,
    OverLimit,
    PostriderError,
    TooLarge,
    Unanswered,
    Unauthorised,
    Unavailable,
    Unproven,
)

#: Outcomes of a call, in `postrider_upstream_seconds`.
OUTCOMES = ("ok", "refused", "unproven", "failed", "away", "unanswered")
_ERRORS = {
    400: BadRequest,
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: BadRequest,
    428: Unproven,
    429: OverLimit,
    500: InternalError,
    507: NoSpace,
}


class _Named(msgspec.Struct):
    """The items that the refusal of a list names (`mailkit.rpc.problems.problem`)."""

    items: list[int] = []


_named = msgspec.json.Decoder(_Named)
#: Limit of the named items that are read from a refusal; no list is longer.
MOST_NAMED = 1000


def refusal(status: int, raw: bytes, path: str) -> PostriderError:
    """Return the error that an answer with `status` (400 or more) and the content `raw` stands for."""
    if status == 503:
        return Unavailable(_detail(raw, f"{path}: 503"))
    if status == 504:
        return Unanswered(_detail(raw, f"{path}: 504"))
    kind = _ERRORS.get(status)
    if kind is None:
        return Unavailable(f"{path} answered {status}")
    return kind(_detail(raw, f"{path} answered {status}"), items=_items(raw))


def outcome_of(error: PostriderError) -> str:
    """Return the outcome, one of OUTCOMES, of a call that ended with `error`."""
    if isinstance(error, Unproven):
        return "unproven"
    if isinstance(error, Unavailable):
        return "away"
    return "failed" if isinstance(error, InternalError) else "refused"


def _detail(raw: bytes, otherwise: str) -> str:
    try:
        return str(msgspec.json.decode(raw)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return otherwise


def _items(raw: bytes) -> list[int]:
    """Return the positions of the items that a refusal names; empty if it names none."""
    try:
        return _named.decode(raw).items[:MOST_NAMED]
    except (msgspec.DecodeError, msgspec.ValidationError):
        return []
