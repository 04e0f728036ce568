"""Responses that refuse a command, with the response codes of RFC 2449 8 and RFC 3206."""

from mailkit.errors import InternalError, PostriderError, is_final

TLS_REQUIRED = "-ERR TLS required, use STLS"
LOGIN_DELAY = "-ERR [LOGIN-DELAY] minimum time between mail checks is {seconds} seconds, come back later"
IN_USE = "-ERR [IN-USE] the mailbox is in use by another session"
REFUSED = "-ERR [AUTH] wrong user name or password"
OFF = "-ERR [SYS/PERM] POP3 is off for this mailbox"
THROTTLED = "-ERR [SYS/TEMP] too many failed logins, try again later"
BUSY = "-ERR [SYS/TEMP] too many logins at this moment, try again"
AWAY = "-ERR [SYS/TEMP] the mail store cannot be reached right now, try again"
NO_SUCH = "-ERR no such message"
DELETED = "-ERR that message is marked deleted"
UNKNOWN = "-ERR unknown command"
NOT_NOW = "-ERR not allowed in this state"
SYNTAX = "-ERR syntax error"
TOO_LONG = "-ERR line too long"
CANNOT = "-ERR [SYS/PERM] the mail store does not take this command"
BUG = "-ERR [SYS/TEMP] internal error"
LOST = "-ERR [SYS/TEMP] the lock was lost, nothing was removed"
NOT_REMOVED = "-ERR [SYS/TEMP] the mail store cannot be reached, messages were not removed"
NOT_KNOWN = "-ERR [SYS/TEMP] the mail store did not say whether the messages were removed"


class Refused(Exception):
    """The command is answered with this -ERR line; with `ends` the connection is then closed."""

    def __init__(self, line: str, *, ends: bool = False) -> None:
        super().__init__(line)
        self.ends = ends


class Away(Refused):
    """The command is refused because another service does not answer."""

    def __init__(self) -> None:
        super().__init__(AWAY)


def refused(error: PostriderError) -> str:
    """Return the response for an error of a service: SYS/TEMP if a retry can help, else SYS/PERM (RFC 3206)."""
    if is_final(error):
        return CANNOT
    return BUG if isinstance(error, InternalError) else AWAY
