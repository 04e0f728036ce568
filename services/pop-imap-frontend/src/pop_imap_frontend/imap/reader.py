"""Reader of one command from the client: a line and the literals in it, within limits, before it is parsed.

RFC 3501 4.3 and 7.5 (synchronising literals), RFC 7888 (LITERAL+). Only what the limits allow is held in memory: 64 KB
per line, 4 KB per literal before login and 64 KB after, the messages of an APPEND or REPLACE, which have together at most the
octets of the largest one, and for all literals of a mailbox together the limit of its budget.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailkit.errors import OverLimit
from mailkit.net.pieces import Pieces
from mailkit.net.reading import LineTooLong
from mailkit.net.stream import Stream
from mailstore_api.wire import MOST_APPENDED
from pop_imap_frontend.imap.new_messages import too_many_octets
from pop_imap_frontend.imap.refusals import BadCommand, Disconnect, No

LINE = 64 * 1024
LITERAL_BEFORE_LOGIN = 4 * 1024
LITERAL = 64 * 1024
#: Largest refused non-synchronising literal that is read and discarded; for a larger one the connection ends.
DISCARD = 64 * 1024 * 1024

_TAG = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\+]{1,100}')
_NAME = re.compile(rb" +((?:UID +)?[A-Za-z]{1,20})", re.I)
_LITERAL_END = re.compile(rb"~?\{(\d{1,10})(\+?)\}\Z")


#: Limit of the literals of a command that appends: its messages, and the mailbox name.
_APPENDS = {"APPEND": MOST_APPENDED + 1, "REPLACE": 2, "UID REPLACE": 2}


@dataclass(slots=True)
class RawCommand:
    """A command as it was read: its tag, its name in capitals ("UID FETCH"), and all octets with literals inline."""

    tag: bytes
    name: str
    data: bytes
    start: int
    """Start of the arguments in `data`: the space before them, or the end."""
    refusal: Exception | None = None
    """Why it is not carried out, though it was read to its end to stay in step with the client; None if it may be."""


TakeLiteral = Callable[[int], Awaitable[None]]


async def read_command(stream: Stream, *, append_limit: int, take_literal: TakeLiteral | None) -> RawCommand:
    """Read the next command. Raises EOFError at the end of the connection, Disconnect if it cannot continue.

    `take_literal` counts the octets of a literal before they are read and raises OverLimit to refuse it; None before login.
    """
    line = await _line(stream)
    tag_match = _TAG.match(line)
    tag = tag_match[0] if tag_match else b"*"
    if tag_match is None or line[len(tag) : len(tag) + 1] != b" ":
        return RawCommand(tag, "", line, len(line), BadCommand("a command is a tag, a space and a name"))
    match = _NAME.match(line, len(tag))
    name = b" ".join(match[1].upper().split()).decode() if match else ""
    start = match.end() if match else len(line)
    refusal: Exception | None = None
    pieces = Pieces(line)
    total = len(line)
    literals = number = 0
    while literal := _LITERAL_END.search(line[-16:]):  # only the line just read: a literal may end the same way
        size, non_sync = int(literal[1]), bool(literal[2])
        literals += size
        number += 1
        if refusal is None:
            refusal = _refuse(size, literals, number, name, total, take_literal is not None, append_limit)
        if refusal is None and take_literal is not None:
            try:
                await take_literal(size)
            except OverLimit as error:
                refusal = error
        if refusal and not non_sync:
            break  # the client waits for a continuation and gets the tagged answer instead
        if refusal:
            if size > DISCARD:
                raise Disconnect("the literal is too large")
            await stream.discard(size)
        else:
            if not non_sync:
                stream.write(b"+ go ahead\r\n")
            pieces.append(b"\r\n")
            pieces.append(await stream.read_exactly(size))
        line = await _line(stream)
        pieces.append(line)
        total += size + len(line)
    return RawCommand(tag, name, pieces.join(), start, refusal)


async def _line(stream: Stream) -> bytes:
    try:
        return await stream.readline(LINE)
    except LineTooLong:
        raise Disconnect("the command line is too long") from None


def _refuse(
    size: int, literals: int, number: int, name: str, total: int, logged_in: bool, append_limit: int
) -> Exception | None:
    """Why a literal of `size` octets is refused, or None; it is the command's `number`th, `literals` is the size of all so far."""
    if name in _APPENDS and logged_in:
        if size > append_limit:
            return No(f"[TOOBIG] a message has at most {append_limit} octets here")
        if number > _APPENDS[name]:
            return No(f"[LIMIT] {name} takes at most {_APPENDS[name]} literals here")
        if literals > append_limit + LITERAL:
            return No(too_many_octets(append_limit))
        if total - (literals - size) > LINE:
            return BadCommand("the command is too long")
        return None
    if size + total > (LITERAL if logged_in else LITERAL_BEFORE_LOGIN) + LINE or size > LITERAL:
        return BadCommand("the literal is too large")
    return None if logged_in or size <= LITERAL_BEFORE_LOGIN else BadCommand("the literal is too large before login")
