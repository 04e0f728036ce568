"""Kinds of errors in the log: a service away, a refusal, a failure outside our code, a defect in it (docs/flow.md)."""

from collections.abc import Callable
from typing import Any, Literal

from mailkit.errors import ConfigError, InternalError, NoSpace, PostriderError, Unavailable, Unproven
from mailkit.process.logs import get_logger

log = get_logger()

Kind = Literal["service_away", "request_refused", "work_failed", "bug"]

#: Functions that translate a library's errors into PostriderError; `mailkit.postgres.pool` adds its own, if there is a database.
translators: list[Callable[[BaseException], PostriderError | None]] = []
#: Error classes of libraries that `translators` may translate.
foreign: list[type[Exception]] = []

#: Errors of a folder or file; not of the database, whose errors may be other kinds of OSError.
_FILES = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def known(error: BaseException) -> PostriderError | None:
    """Return `error` as a PostriderError; None if it was not expected."""
    if isinstance(error, PostriderError):
        return error
    return next((found for translate in translators if (found := translate(error)) is not None), None)


def kind(error: BaseException) -> Kind:
    """Return the log event for the kind of `error`.

    service_away: a service or the database does not answer or is busy; it recovers without action;
    request_refused: another service refused the request (4xx), and would again: versions, tokens, proofs, or a rule;
    work_failed: a failure outside our code, which a retry may not cure: a file, a full disk, an error in another service;
    bug: an error that the code did not expect.
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
    """Log `error`, raised in `work`, as the event of its kind, and return the event; only a bug has a traceback."""
    found = kind(error)
    if found == "bug":
        log.error(found, work=work, error=describe(error), exc_info=error, **facts)
    elif found == "service_away":
        log.warning(found, work=work, error=describe(error), **facts)
    else:
        log.error(found, work=work, error=describe(error), **facts)
    return found


def describe(error: BaseException | None) -> str:
    """Return class and text of an error for a log line; connection errors often have no text. Empty for None."""
    return f"{type(error).__name__}: {error}" if error is not None else ""
