"""What the refusal of another service stands for: the error to raise, and how the call is counted."""

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

#: How a call ends, in `postrider_upstream_seconds`.
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
    """What a refusal of a list says about its items (`mailkit.problems.problem`)."""

    items: list[int] = []


_named = msgspec.json.Decoder(_Named)
#: Named items of a refusal that are looked at; no list is longer.
MOST_NAMED = 1000


def refusal(status: int, raw: bytes, path: str) -> PostriderError:
    """The error that an answer of `status` (400 or more) with the content `raw` stands for."""
    if status == 503:
        return Unavailable(_detail(raw, f"{path}: 503"))
    if status == 504:
        return Unanswered(_detail(raw, f"{path}: 504"))
    kind = _ERRORS.get(status)
    if kind is None:
        return Unavailable(f"{path} answered {status}")
    return kind(_detail(raw, f"{path} answered {status}"), items=_items(raw))


def outcome_of(error: PostriderError) -> str:
    """One of OUTCOMES, for what was answered or could not be asked."""
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
    """The items that a refusal names."""
    try:
        return _named.decode(raw).items[:MOST_NAMED]
    except (msgspec.DecodeError, msgspec.ValidationError):
        return []
