"""The errors services share. Each knows its HTTP answer; what a peer may read is apart from what we log."""

from collections.abc import Sequence


class PostriderError(Exception):
    """Base of all expected errors. `str(error)` is one sentence a person may read; no secrets in it.

    `items`: of a refused list, the positions of the items it was refused for, where they are known.
    """

    slug = "error"
    status_code = 500

    def __init__(self, text: str = "", *, items: Sequence[int] = ()) -> None:
        super().__init__(text)
        self.items = tuple(items)


class BadRequest(PostriderError):
    """The request's content cannot be understood or breaks a rule."""

    slug = "bad-request"
    status_code = 400


class Unauthorised(PostriderError):
    """No valid bearer token came with the request."""

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
    """The request is larger than the endpoint takes."""

    slug = "too-large"
    status_code = 413


class OverLimit(PostriderError):
    """The request asks for more than one caller may have: too much at once, or too long a search (IMAP NO [LIMIT])."""

    slug = "limit"
    status_code = 429


class Unavailable(PostriderError):
    """A service or the database is away or busy: nothing was done, try later (SMTP 451, [SYS/TEMP], [UNAVAILABLE])."""

    slug = "unavailable"
    status_code = 503


class Unproven(Unavailable):
    """The question has no good proof of login for its mailbox (docs/decisions/0040): nothing was done. Trying again helps
    when the proof has run out and is renewed; otherwise the re-check ends the session."""

    slug = "unproven"
    status_code = 428


class Unanswered(Unavailable):
    """A request was sent and its answer never came: it may have been done. Repeat it with the same id (decision 3)."""

    slug = "unanswered"
    status_code = 504


class NoSpace(PostriderError):
    """The disk is full or its reserve is reached (decision 12): SMTP 452 4.3.1."""

    slug = "no-space"
    status_code = 507


class InternalError(PostriderError):
    """Another service met an error it did not expect (500): what was asked may have been done, and may fail again."""

    slug = "error"
    status_code = 500


class ConfigError(PostriderError):
    """A service cannot start as it is configured; printed as one sentence, exit status 78 (EX_CONFIG)."""

    slug = "config"


def concerns_all(error: BaseException) -> bool:
    """Whether a list failed for a reason that is not in its items: each alone would have met the same."""
    return isinstance(error, Unavailable | NoSpace | Unauthorised | Forbidden)


def is_final(error: BaseException) -> bool:
    """Whether a service refused what was asked for, so that trying again cannot help (SMTP 5xx, IMAP CANNOT)."""
    return isinstance(error, BadRequest | NotFound | Conflict | TooLarge)
