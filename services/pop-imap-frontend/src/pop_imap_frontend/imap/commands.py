"""Table of the commands: the function of each and the states in which it is allowed (RFC 3501 6)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING

from pop_imap_frontend.imap.grammar import Cursor

if TYPE_CHECKING:
    from pop_imap_frontend.imap.session import ImapSession


class State(Flag):
    """State of a connection (RFC 3501 3)."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    LOGOUT = auto()


ANY = State.NOT_AUTHENTICATED | State.AUTHENTICATED | State.SELECTED
LOGGED_IN = State.AUTHENTICATED | State.SELECTED

Run = Callable[["ImapSession", Cursor], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Command:
    """A command. `run` gets the session and a cursor after the command's name and returns the text after `tag OK `.

    `tells_changes`: changes by other sessions may be sent before the tagged response; EXPUNGE responses are forbidden
    during FETCH, STORE and SEARCH by number (RFC 3501 7.4.1).
    """

    allowed_in: State
    run: Run
    tells_changes: bool = True


COMMANDS: dict[str, Command] = {}


def command(name: str, allowed_in: State, *, tells_changes: bool = True) -> Callable[[Run], Run]:
    """Register the decorated function as the command `name`."""

    def register(run: Run) -> Run:
        COMMANDS[name] = Command(allowed_in, run, tells_changes)
        return run

    return register
