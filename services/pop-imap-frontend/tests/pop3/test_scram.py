"""AUTH SCRAM-SHA-256 by POP3: announced when it is on, in three steps, and P4 of one that is not concluded."""

from tests.support.scram import Client as Scram

from .world import Client, Pop3Service, dialogue

USER = "user%site.example"


async def line(client: Client) -> str:
    return (await client.reader.readline()).decode().removesuffix("\r\n")


async def up_to_the_proof(client: Client, scram: Scram, *, initial: bool = True) -> str:
    if initial:
        client.writer.write(f"AUTH SCRAM-SHA-256 {scram.first()}\r\n".encode())
    else:
        await client.say("auth scram-sha-256", "+ ")
        client.writer.write(scram.first().encode() + b"\r\n")
    client.writer.write(scram.final((await line(client)).removeprefix("+ ")).encode() + b"\r\n")
    return await line(client)


def test_a_login_with_and_without_an_initial_response() -> None:
    for initial in (True, False):

        async def talk(_world: Pop3Service, client: Client, initial: bool = initial) -> None:
            scram = Scram(USER, " pass word ")
            answer = await up_to_the_proof(client, scram, initial=initial)
            scram.check(answer.removeprefix("+ "))
            await client.say("", "+OK 2 messages (60 octets)")
            await client.say("STAT", "+OK 2 60")

        dialogue(talk, scram=True)


def test_a_wrong_password() -> None:
    async def talk(_world: Pop3Service, client: Client) -> None:
        assert await up_to_the_proof(client, Scram(USER, "wrong")) == "-ERR [AUTH] wrong user name or password"
        await client.say("AUTH SCRAM-SHA-256 AAAA", "-ERR syntax error")
        await client.say("STAT", "-ERR not allowed in this state")

    dialogue(talk, scram=True)


def test_one_that_is_not_concluded_is_no_check() -> None:
    """P4: the client cancels because it does not accept the server, or is gone; the next login is let in."""

    async def talk(world: Pop3Service, client: Client) -> None:
        assert (await up_to_the_proof(client, Scram(USER, " pass word "))).startswith("+ ")
        assert world.mailbox.last_pop3_login is not None
        await client.say("*", "-ERR cancelled")
        assert world.mailbox.last_pop3_login is None
        assert (await up_to_the_proof(client, Scram(USER, " pass word "))).startswith("+ ")
        client.writer.close()

    assert dialogue(talk, scram=True).mailbox.last_pop3_login is None


def test_p4_ends_the_connection_before_the_server_shows_that_it_knows_the_password() -> None:
    async def talk(world: Pop3Service, client: Client) -> None:
        world.mailbox.last_pop3_login = world.auth.now()
        assert (await up_to_the_proof(client, Scram(USER, " pass word "))).startswith("-ERR [LOGIN-DELAY]")
        await client.hear("")

    dialogue(talk, scram=True)


def test_it_is_announced_where_it_is_on() -> None:
    async def talk(_world: Pop3Service, client: Client) -> None:
        await client.say("CAPA", "+OK")
        lines = [await line(client) for _ in range(12)]
        assert "SASL SCRAM-SHA-256 PLAIN LOGIN" in lines

    dialogue(talk, scram=True)


def test_it_is_unknown_where_it_is_off() -> None:
    async def talk(_world: Pop3Service, client: Client) -> None:
        await client.say("AUTH SCRAM-SHA-256", "-ERR this mechanism is not supported")

    dialogue(talk)
