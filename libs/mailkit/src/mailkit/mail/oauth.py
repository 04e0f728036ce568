"""OAUTHBEARER (RFC 7628) and XOAUTH2, its forerunner: a client shows an access token in place of a password."""

from contextlib import suppress
from dataclasses import dataclass

from mailkit.mail.sasl import Cancelled, Exchange, Malformed

_REFUSED = b'{"status":"%s","schemes":"bearer"}'


@dataclass(frozen=True, slots=True)
class Token:
    """The result of both mechanisms. `user`: the mailbox that the client names, "" if it leaves that to the token.

    `error`: what a refused client is sent.
    """

    user: str
    token: str
    error: bytes

    def __repr__(self) -> str:
        return f"Token({self.user!r})"


async def oauthbearer(exchange: Exchange) -> Token:
    """Run OAUTHBEARER up to the token. The host and port that a client adds are not used. Raises Malformed, Cancelled."""
    header, *fields = _parts(await exchange.response())
    flag, _, authorise = header.partition(",")
    authorise = authorise.removesuffix(",")
    if flag not in ("n", "y") or (authorise and not authorise.startswith("a=")):
        raise Malformed("not an OAUTHBEARER message")
    user = authorise.removeprefix("a=").replace("=2C", ",").replace("=3D", "=")
    return Token(user, _bearer(fields), _REFUSED.replace(b"%s", b"invalid_token"))


async def xoauth2(exchange: Exchange) -> Token:
    """Run XOAUTH2, as Google describes it, up to the token. Raises Malformed, Cancelled."""
    first, *fields = _parts(await exchange.response())
    if not first.startswith("user="):
        raise Malformed("not an XOAUTH2 message")
    return Token(first.removeprefix("user="), _bearer(fields), _REFUSED.replace(b"%s", b"401"))


async def refuse(exchange: Exchange, token: Token) -> None:
    """Send why a token is refused; the client's answer says nothing (RFC 7628 3.2.3). The exchange has failed then."""
    with suppress(Cancelled, Malformed):
        await exchange.response(token.error)


#: The mechanisms by name, in the order in which they are announced.
MECHANISMS = {"OAUTHBEARER": oauthbearer, "XOAUTH2": xoauth2}


def _parts(response: bytes) -> list[str]:
    try:
        parts = response.decode().split("\x01")
    except UnicodeDecodeError as error:
        raise Malformed("a message is written in UTF-8") from error
    if len(parts) < 3 or parts[-2:] != ["", ""]:
        raise Malformed("a message ends with two octets 01")
    return parts[:-2]


def _bearer(fields: list[str]) -> str:
    for field in fields:
        name, _, value = field.partition("=")
        scheme, _, token = value.strip().partition(" ")
        if name.lower() == "auth" and scheme.lower() == "bearer" and token.strip():
            return token.strip()
    raise Malformed("there is no bearer token in the message")
