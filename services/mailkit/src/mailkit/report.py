"""What an error is: a service that is away, a refusal, a failure around us, or a defect in our code (docs/flow.md)."""

from collections.abc import Callable
from typing import Any, Literal

from mailkit.errors import ConfigError, InternalError, NoSpace, PostriderError, Unavailable, Unproven
from mailkit.logs import get_logger

log = get_logger()

Kind = Literal["service_away", "request_refused", "work_failed", "bug"]

#: How a library's errors are put into the product's words; `mailkit.db` adds its own, where there is a database.
translators: list[Callable[[BaseException], PostriderError | None]] = []
#: The classes that a library's errors have.
foreign: list[type[Exception]] = []

#: A folder or file that is not as we need it: not a database's, whose trouble is an OSError too.
_FILES = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def known(error: BaseException) -> PostriderError | None:
    """`error` in the product's words; None: it was not expected."""
    if isinstance(error, PostriderError):
        return error
    return next((found for translate in translators if (found := translate(error)) is not None), None)


def kind(error: BaseException) -> Kind:
    """The log event for the kind of `error`:

    service_away: a service or the database is away or busy, and comes back by itself;
    request_refused: another service understood and said no (4xx), and will say so again: versions, tokens, proofs, or a rule;
    work_failed: what is around us failed, and trying again may not help: a file, a full disk, an error within another service;
    bug: what the code did not expect.
    """
    if isinstance(error, _FILES):
        return "work_failed"
    found = known(error)
    if isinstance(found, Unavailable) and not isinstance(found, Unproven):
        return "service_away"
    if isinstance(found, NoSpace | InternalError | ConfigError) or (found is None and isinstance(error, OSError)):
        return "work_failed"
    return "request_refused" if found is not None else "bug"


def report(error: BaseException, work: str, **facts: Any) -> Kind:
    """Log `error`, which `work` met, once and as what it is; only a bug has a traceback. Returns the event."""
    found = kind(error)
    if found == "bug":
        log.error(found, work=work, error=describe(error), exc_info=error, **facts)
    elif found == "service_away":
        log.warning(found, work=work, error=describe(error), **facts)
    else:
        log.error(found, work=work, error=describe(error), **facts)
    return found


def describe(error: BaseException | None) -> str:
    """An error for a log line: its kind and text; connection errors often have no text."""
    return f"{type(error).__name__}: {error}" if error is not None else ""
