"""AUTHENTICATE SCRAM-SHA-256: with and without an initial response, wrong, cancelled, and while auth is away."""

import pytest

from tests.support.scram import Client as Scram

from .conftest import Imap


async def line(client) -> str:
    return (await client.response()).decode().removesuffix("\r\n")


async def begin(client, scram: Scram, *, initial: bool) -> str:
    """Send up to the proof; return the response to it."""
    if initial:
        client.send(f"a AUTHENTICATE SCRAM-SHA-256 {scram.first()}\r\n".encode())
    else:
        client.send(b"a authenticate scram-sha-256\r\n")
        assert await line(client) == "+ "
        client.send(scram.first().encode() + b"\r\n")
    client.send(scram.final((await line(client)).removeprefix("+ ")).encode() + b"\r\n")
    return await line(client)


@pytest.mark.parametrize("initial", [True, False])
async def test_a_login_in_three_steps(imap: Imap, initial: bool) -> None:
    client, scram = await imap.connect(), Scram("user%site.example", "secret")
    answer = await begin(client, scram, initial=initial)
    scram.check(answer.removeprefix("+ "))
    client.send(b"\r\n")
    assert (await line(client)).startswith("a OK [CAPABILITY ")
    assert await client.ok("SELECT INBOX")


async def test_a_wrong_password_and_an_unknown_user(imap: Imap) -> None:
    client = await imap.connect()
    for user, password in (("user@site.example", "wrong"), ("nobody@site.example", "secret")):
        answer = await begin(client, Scram(user, password), initial=True)
        assert answer == "a NO [AUTHENTICATIONFAILED] wrong user name or password"
    assert await client.last("SELECT INBOX") == "BAD not allowed now: log in first"


async def test_a_client_that_does_not_accept_the_server_is_not_logged_in(imap: Imap) -> None:
    client = await imap.connect()
    assert (await begin(client, Scram("user@site.example", "secret"), initial=True)).startswith("+ ")
    client.send(b"*\r\n")
    assert await line(client) == "a BAD cancelled"
    assert (await begin(client, Scram("user@site.example", "secret"), initial=True)).startswith("+ ")
    client.send(b"AAAA\r\n")
    assert await line(client) == "a BAD expected an empty response"
    assert await client.last("SELECT INBOX") == "BAD not allowed now: log in first"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("bix1PXUscj14", "not the SCRAM message that begins an exchange"),  # n,,u=u,r=x
        ("cD10bHMtdW5pcXVlLCxuPXUscj14", "channel binding is not supported"),  # p=tls-unique,,n=u,r=x
        ("eCwsbj11LHI9eA==", "channel binding is not supported"),  # x,,n=u,r=x
        ("bixhPW90aGVyLG49dSxyPXg=", "a login opens the mailbox of its user name only"),  # n,a=other,n=u,r=x
        ("biwsbT14LG49dSxyPXg=", "not a SCRAM message"),  # n,,m=x,n=u,r=x
        ("biwsbj11PTExLHI9eA==", "a user name with a bare ="),  # n,,n=u=11,r=x
        ("//8=", "SCRAM messages are written in UTF-8"),
    ],
)
async def test_malformed(imap: Imap, message: str, why: str) -> None:
    client = await imap.connect()
    assert await client.last(f"AUTHENTICATE SCRAM-SHA-256 {message}") == f"BAD {why}"


async def test_auth_away_between_the_steps(imap: Imap) -> None:
    client = await imap.connect()
    imap.auth.away = True
    assert (await client.last(f"AUTHENTICATE SCRAM-SHA-256 {Scram('u', 'p').first()}")).startswith("NO [UNAVAILABLE]")
    imap.auth.away = False
    scram = Scram("user@site.example", "secret")
    client.send(f"a AUTHENTICATE SCRAM-SHA-256 {scram.first()}\r\n".encode())
    challenge = (await line(client)).removeprefix("+ ")
    imap.auth.away = True
    client.send(scram.final(challenge).encode() + b"\r\n")
    assert (await line(client)).startswith("a NO [UNAVAILABLE]")
