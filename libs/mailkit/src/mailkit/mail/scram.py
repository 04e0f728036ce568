"""SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: the server's side of the exchange and its messages."""

import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailkit.mail.sasl import Exchange, Malformed

NAME = "SCRAM-SHA-256"

#: Limit of a client's nonce (characters).
LONGEST_NONCE = 256
_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]+\Z")
_ESCAPED = re.compile(r"=(?!2C|3D)")


@dataclass(frozen=True, slots=True)
class Offer:
    """The server's part of server-first-message. `nonce`: the server's part of the nonce, printable ASCII without a comma."""

    salt: bytes
    iterations: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of an exchange, to be checked against the user's keys.

    `client_first` without its GS2 header and `client_final` without its proof: the client's parts of AuthMessage.
    `nonce` is the whole one.
    """

    user: str
    client_first: str
    client_final: str
    nonce: str
    proof: bytes


AskOffer = Callable[[str, str], Awaitable[Offer]]
"""Returns the offer for (user name, client's nonce), for unknown names too."""


def server_first(nonce: str, salt: bytes, iterations: int) -> str:
    """Return server-first-message."""
    return f"r={nonce},s={base64.b64encode(salt).decode()},i={iterations}"


def auth_message(client_first: str, nonce: str, salt: bytes, iterations: int, client_final: str) -> bytes:
    """Return AuthMessage (RFC 5802 3)."""
    return f"{client_first},{server_first(nonce, salt, iterations)},{client_final}".encode()


async def scram(exchange: Exchange, offer: AskOffer) -> Proof:
    """Run the exchange up to the client's proof. Raises Cancelled, Malformed and what `offer` raises.

    If the proof is right, `conclude` has to follow.
    """
    header, client_first, user, nonce = _client_first(_text(await exchange.response()))
    given = await offer(user, nonce)
    nonce += given.nonce
    reply = _text(await exchange.response(server_first(nonce, given.salt, given.iterations).encode()))
    client_final, _, coded = reply.rpartition(",p=")
    final = _attributes(client_final)
    if list(final)[:2] != ["c", "r"] or _decoded(final["c"]) != header.encode() or final["r"] != nonce:
        raise Malformed("not the SCRAM message that ends this exchange")
    return Proof(user, client_first, client_final, nonce, _decoded(coded))


async def conclude(exchange: Exchange, signature: bytes) -> None:
    """Send server-final-message and read the empty response to it: the three protocols carry no data with success.

    Nothing is sent for an empty `signature`, after another mechanism. Raises Cancelled if the client does not accept the
    server, Malformed.
    """
    if signature and await exchange.response(b"v=" + base64.b64encode(signature)):
        raise Malformed("expected an empty response")


def _client_first(message: str) -> tuple[str, str, str, str]:
    """Parse client-first-message; return (GS2 header, the rest, user name, nonce)."""
    flag, _, rest = message.partition(",")
    authorise, _, bare = rest.partition(",")
    if flag not in ("n", "y"):
        raise Malformed("channel binding is not supported")
    found = _attributes(bare)
    if list(found)[:2] != ["n", "r"] or not _NONCE.match(found["r"]) or len(found["r"]) > LONGEST_NONCE:
        raise Malformed("not the SCRAM message that begins an exchange")
    user = _name(found["n"])
    if authorise and (not authorise.startswith("a=") or _name(authorise[2:]) != user):
        raise Malformed("a login opens the mailbox of its user name only")
    return message[: len(message) - len(bare)], bare, user, found["r"]


def _attributes(message: str) -> dict[str, str]:
    """Return the attributes by letter, in order. Raises Malformed, for mandatory extensions too (RFC 5802 5.1)."""
    found: dict[str, str] = {}
    for part in message.split(","):
        letter, equals, value = part[:1], part[1:2], part[2:]
        if (
            not (letter.isascii() and letter.isalpha())
            or equals != "="
            or not value
            or letter in found
            or letter == "m"
        ):
            raise Malformed("not a SCRAM message")
        found[letter] = value
    return found


def _name(text: str) -> str:
    if _ESCAPED.search(text):
        raise Malformed("a user name with a bare =")
    return text.replace("=2C", ",").replace("=3D", "=")


def _text(message: bytes) -> str:
    try:
        text = message.decode()
    except UnicodeDecodeError as error:
        raise Malformed("SCRAM messages are written in UTF-8") from error
    if "\0" in text:
        raise Malformed("a NUL in a SCRAM message")
    return text


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Malformed("an attribute that is not base64") from error
