"""SASL (RFC 4422) as SMTP, POP3 and IMAP carry it: messages in base64, and the mechanisms PLAIN and LOGIN."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

#: Limit of a client's response in base64 (octets): longer than a command line of POP3 may be.
LONGEST_RESPONSE = 4096

Challenge = Callable[[bytes], Awaitable[bytes]]
"""Sends a challenge, which is base64 already, and returns the client's line."""


class Cancelled(Exception):
    """The client cancelled the exchange by sending `*`."""


class Malformed(ValueError):
    """A response is not base64, or not a message of its mechanism."""


@dataclass(frozen=True, slots=True)
class Password:
    """The result of PLAIN and LOGIN."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Password({self.user!r})"


class Exchange:
    """The messages of one authentication exchange.

    `initial`: the initial response in base64, `=` for an empty one (RFC 4954 4, RFC 4959, RFC 5034 4); b"" if there is none.
    """

    def __init__(self, initial: bytes, challenge: Challenge) -> None:
        self._initial = initial
        self._challenge = challenge

    async def response(self, challenge: bytes = b"") -> bytes:
        """Send `challenge` and return the client's response; an initial response answers the first challenge, which is not sent.

        Raises Cancelled, Malformed, and what the connection raises.
        """
        line, self._initial = self._initial, b""
        if not line:
            line = (await self._challenge(base64.b64encode(challenge))).strip()
        if line == b"*":
            raise Cancelled
        if line == b"=":
            return b""
        try:
            return base64.b64decode(line, validate=True)
        except ValueError as error:
            raise Malformed("a response is written in base64") from error


async def plain(exchange: Exchange) -> Password:
    """Run PLAIN (RFC 4616). The authorization identity is not used: a login opens the mailbox of its user name."""
    parts = _text(await exchange.response()).split("\0")
    if len(parts) != 3:
        raise Malformed("not a PLAIN message")
    return Password(parts[1], parts[2])


async def login(exchange: Exchange) -> Password:
    """Run LOGIN, which has no RFC: Outlook and old devices prefer it. An initial response is the user name."""
    user = _text(await exchange.response(b"Username:"))
    return Password(user, _text(await exchange.response(b"Password:")))


#: The mechanisms by name, in the order in which they are announced.
MECHANISMS: dict[str, Callable[[Exchange], Awaitable[Password]]] = {"PLAIN": plain, "LOGIN": login}


def _text(response: bytes) -> str:
    try:
        return response.decode()
    except UnicodeDecodeError as error:
        raise Malformed("user names and passwords are written in UTF-8") from error
