"""The errors that services share, each with its HTTP status and slug."""

from collections.abc import Sequence


class PostriderError(Exception):
    """Base of all expected errors. `str(error)` is one sentence that may be shown to a person; it holds no secrets.

    `items`: for a refused list, the positions of the items at fault, if known.
    """

    slug = "error"
    status_code = 500

    def __init__(self, text: str = "", *, items: Sequence[int] = ()) -> None:
        super().__init__(text)
        self.items = tuple(items)


class BadRequest(PostriderError):
    """The request's content is malformed or violates a rule."""

    slug = "bad-request"
    status_code = 400


class Unauthorised(PostriderError):
    """The request has no valid bearer token."""

    slug = "unauthorised"
    status_code = 401


class Forbidden(PostriderError):
    """The token's owner may not do this."""

    slug = "forbidden"
    status_code = 403


class NotFound(PostriderError):
    """What the request names does not exist."""

    slug = "not-found"
    status_code = 404


class Conflict(PostriderError):
    """The request contradicts what exists."""

    slug = "conflict"
    status_code = 409


class TooLarge(PostriderError):
    """The request is larger than the endpoint accepts."""

    slug = "too-large"
    status_code = 413


class OverLimit(PostriderError):
    """The request exceeds a limit per caller: too much at once, or too long a search (IMAP NO [LIMIT])."""

    slug = "limit"
    status_code = 429


class Unavailable(PostriderError):
    """A service or the database is down or busy: nothing was done, retry later (SMTP 451, [SYS/TEMP], [UNAVAILABLE])."""

    slug = "unavailable"
    status_code = 503


class Unproven(Unavailable):
    """The question has no valid proof of login for its mailbox (docs/decisions/0040): nothing was done.

    A retry succeeds if the proof has expired and is renewed; otherwise the re-check ends the session.
    """

    slug = "unproven"
    status_code = 428


class Unanswered(Unavailable):
    """A request was sent and not answered: it may have been done. Repeat it with the same id (decision 3)."""

    slug = "unanswered"
    status_code = 504


class NoSpace(PostriderError):
    """The disk is full or its reserve is reached (decision 12): SMTP 452 4.3.1."""

    slug = "no-space"
    status_code = 507


class InternalError(PostriderError):
    """Another service had an unexpected error (500): the request may have been done, and may fail again."""

    slug = "error"
    status_code = 500


class ConfigError(PostriderError):
    """A service cannot start with its configuration: printed as one sentence, exit status 78 (EX_CONFIG)."""

    slug = "config"


def concerns_all(error: BaseException) -> bool:
    """Return whether a list failed for a reason outside its items, so that each item alone would have failed too."""
    return isinstance(error, Unavailable | NoSpace | Unauthorised | Forbidden)


def is_final(error: BaseException) -> bool:
    """Return whether a service refused the request, so that a retry cannot succeed (SMTP 5xx, IMAP CANNOT)."""
    return isinstance(error, BadRequest | NotFound | Conflict | TooLarge)
