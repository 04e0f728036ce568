"""How a command ends other than with OK: NO, BAD, BYE, and the texts that several commands share (RFC 5530)."""

from mailkit.errors import InternalError, NoSpace, OverLimit, PostriderError, is_final
from mailkit.process.report import report

NONEXISTENT = "[NONEXISTENT] there is no such mailbox"
AWAY = "[UNAVAILABLE] the mail store cannot be reached right now, try again"
NO_SPACE = "[UNAVAILABLE] the server's disk is full; deleting still works"
MANY_KEYWORDS = "[LIMIT] this mailbox has too many keywords"
GONE = "the selected mailbox is no longer there; connect again"


class No(Exception):
    """The command cannot be carried out: NO with this text, which may begin with a response code."""


class BadCommand(Exception):
    """The command cannot be parsed: BAD with this text; nothing was changed."""


class Disconnect(Exception):
    """The connection ends with `* BYE` and this text."""


def refused(command: str, error: PostriderError) -> str:
    """Return the text after NO for an error of a service: [UNAVAILABLE] only if a retry can help (docs/decisions/0033)."""
    if isinstance(error, NoSpace):
        return NO_SPACE
    if isinstance(error, OverLimit):
        return f"[LIMIT] {error}"
    report(error, "a command", command=command)
    if is_final(error):
        return "[CANNOT] the mail store does not take this command"
    return "[SERVERBUG] internal error" if isinstance(error, InternalError) else AWAY
