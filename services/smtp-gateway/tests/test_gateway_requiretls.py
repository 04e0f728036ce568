"""REQUIRETLS and TLS-Required: No (RFC 8689): announced and taken under TLS, and handed over with the message."""

import pytest

from tests.support.gateway import Dialogue, Services, context

HELLO = b"EHLO client.test\r\n"


def under_tls(services: Services) -> Dialogue:
    talk = Dialogue(context(services))
    talk.session.tls = True
    return talk


async def sent(services: Services, mail: bytes, header: bytes = b"Subject: x\r\n") -> str:
    """Send a message to a mailbox; what was handed over about TLS."""
    talk = under_tls(services)
    await talk.say(HELLO)
    assert (await talk.say(mail)).startswith(b"250 ")
    await talk.say(b"RCPT TO:<u@here.test>\r\n")
    await talk.say(b"DATA\r\n")
    assert (await talk.say(header + b"\r\ntext\r\n.\r\n")).startswith(b"250 ")
    return services.taken[-1].tls


async def test_it_is_announced_and_taken_under_tls_only() -> None:
    services = Services()
    assert b"REQUIRETLS" in await under_tls(services).say(HELLO)
    plain = Dialogue(context(services))
    assert b"REQUIRETLS" not in await plain.say(HELLO)
    assert (await plain.say(b"MAIL FROM:<a@far.test> REQUIRETLS\r\n")).startswith(b"555 5.5.4 ")
    secure = under_tls(services)
    await secure.say(HELLO)
    assert (await secure.say(b"MAIL FROM:<a@far.test> REQUIRETLS=1\r\n")).startswith(b"555 5.5.4 ")
    assert await sent(services, b"MAIL FROM:<a@far.test> REQUIRETLS\r\n") == "required"
    assert await sent(services, b"MAIL FROM:<a@far.test>\r\n") == ""


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        (b"TLS-Required: No\r\n", "optional"),
        (b"tls-required:\r\n no \r\n", "optional"),
        (b"TLS-Required: Yes\r\n", ""),
        (b"TLS-Required: No\r\nTLS-Required: No\r\n", ""),
        (b"X: y\r\n\r\nTLS-Required: No\r\n", ""),
    ],
)
async def test_the_header_field_counts_unless_the_parameter_is_given(header: bytes, asked: str) -> None:
    services = Services()
    assert await sent(services, b"MAIL FROM:<a@far.test>\r\n", header) == asked
    assert await sent(services, b"MAIL FROM:<a@far.test> REQUIRETLS\r\n", header) == "required"
