"""What stands behind NO when mailstore does not do what it was asked (RFC 5530, docs/decisions/0018)."""

from mailkit.errors import NoSpace, OverLimit, PostriderError, Unavailable
from mailkit.lifecycle import describe
from mailkit.logs import get_logger
from pop_imap_frontend.imap.responses import Away

log = get_logger()


def refused(command: str, error: PostriderError) -> str:
    """The text behind NO: [UNAVAILABLE] only where trying again can help."""
    if isinstance(error, NoSpace):
        return "[UNAVAILABLE] the server's disk is full; deleting still works"
    if isinstance(error, OverLimit):
        return f"[LIMIT] {error}"
    if isinstance(error, Unavailable):
        log.warning("neighbour_away", command=command, error=describe(error))
        return str(Away())
    log.error("neighbour_refused", command=command, error=describe(error))
    return "[CANNOT] the mail store does not take this command"
