"""The commands: in which states each is allowed (RFC 3501 6), and what runs it. The check stands in one place."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING

from pop_imap_frontend.imap.grammar import Cursor

if TYPE_CHECKING:
    from pop_imap_frontend.imap.session import ImapSession


class State(Flag):
    """Where a connection is (RFC 3501 3)."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    LOGOUT = auto()


ANY = State.NOT_AUTHENTICATED | State.AUTHENTICATED | State.SELECTED
LOGGED_IN = State.AUTHENTICATED | State.SELECTED

Run = Callable[["ImapSession", Cursor], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets the session and a cursor behind the command's name and returns the text after `tag OK `.

    `tells_changes`: other sessions' changes may be told before the tagged answer; EXPUNGE responses are forbidden
    after FETCH, STORE and SEARCH by number (RFC 3501 7.4.1).
    """

    allowed_in: State
    run: Run
    tells_changes: bool = True


COMMANDS: dict[str, Command] = {}


def command(name: str, allowed_in: State, *, tells_changes: bool = True) -> Callable[[Run], Run]:
    """Register the function that runs `name`."""

    def register(run: Run) -> Run:
        COMMANDS[name] = Command(allowed_in, run, tells_changes)
        return run

    return register
