"""Texts of NO for errors of a service, with response codes (RFC 5530, docs/decisions/0033)."""

from mailkit.errors import InternalError, NoSpace, OverLimit, PostriderError, is_final
from mailkit.report import report
from pop_imap_frontend.imap.responses import Away


def refused(command: str, error: PostriderError) -> str:
    """Return the text after NO for `error`: [UNAVAILABLE] only if a retry can help."""
    if isinstance(error, NoSpace):
        return "[UNAVAILABLE] the server's disk is full; deleting still works"
    if isinstance(error, OverLimit):
        return f"[LIMIT] {error}"
    report(error, "a command", command=command)
    if is_final(error):
        return "[CANNOT] the mail store does not take this command"
    return "[SERVERBUG] internal error" if isinstance(error, InternalError) else str(Away())
