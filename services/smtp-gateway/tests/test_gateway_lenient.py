"""What old and odd clients send is taken, and with POSTRIDER_SMTP_STRICT it is not (docs/decisions/0032)."""

import base64

import pytest

from smtp_gateway.smtp.paths import client_name, parse_mail, parse_rcpt
from tests.support.gateway import ACCOUNT, Dialogue, Services, context, send

LONG = b"bounce+" + b"x" * 180 + b"=user=far.example"
PLAIN = b"AUTH PLAIN " + base64.b64encode(b"\0u@here.test\0secret") + b"\r\n"
NAMES = [
    "büro-pc".encode(),
    b"b\xfcro",
    b"John's PC",
    b"my computer",
    b"host+1",
    b"[fe80::1%eth0]",
    b"(evil)",
    b"a;b",
    b"a\0b",
    b"x" * 3000,
    b'"quoted"',
    b"a@b",
    b"\\",
]


@pytest.mark.parametrize("verb", [b"EHLO", b"HELO"])
@pytest.mark.parametrize("name", NAMES)
async def test_any_name_is_taken_and_written_so_that_it_cannot_harm(verb: bytes, name: bytes) -> None:
    services = Services()
    body = b"Subject: x\r\n\r\ntext\r\n.\r\n"
    assert (await send(body, context(services), greeting=verb + b" " + name + b"\r\n")).startswith(b"250 ")
    received = services.taken[0].body.partition(b"\r\n\t")[0]
    assert received.isascii()
    written, _, rest = received.removeprefix(b"Received: from ").partition(b" ")
    assert rest == b"([192.0.2.1]) with " + (b"ESMTP" if verb == b"EHLO" else b"SMTP")
    assert len(written) <= 255
    assert not set(written) & set(b'();"\\<>@,\0')


@pytest.mark.parametrize("name", NAMES)
async def test_strict_wants_a_domain_or_a_literal(name: bytes) -> None:
    talk = Dialogue(context(smtp_strict=True))
    await talk.say()
    assert (await talk.say(b"EHLO " + name + b"\r\n")).startswith(b"501 ")
    assert (await talk.say(b"HELO [IPv6:2001:db8::1]\r\n")).startswith(b"250 ")


@pytest.mark.parametrize("name", ["client.test", "[192.0.2.1]", "host_1", "[IPv6:2001:db8::1]"])
def test_a_proper_name_stays_as_it_is(name: str) -> None:
    assert client_name(name) == client_name(name, strict=True) == name


async def test_long_local_parts_are_taken_up_to_the_limit_of_a_path() -> None:
    services = Services()
    services.relay = True
    longest = b"x" * (254 - len(b"@far.test")) + b"@far.test"
    shared = context(services)
    for sender in (LONG + b"@lists.test", longest):
        answer = await send(b"\r\n.\r\n", shared, sender=b"<%b>" % sender, recipients=[longest])
        assert answer.startswith(b"250 ")
        assert services.taken[-1].mail_from.encode() == sender
        assert services.taken[-1].recipients[0].address.encode() == longest
    talk = Dialogue(shared)
    await talk.say(b"EHLO client.test\r\n", replies=2)
    assert (await talk.say(b"MAIL FROM:<x%b>\r\n" % longest)).startswith(b"501 5.1.7 ")
    await talk.say(b"MAIL FROM:<>\r\n")
    assert (await talk.say(b"RCPT TO:<x%b>\r\n" % longest)).startswith(b"501 5.1.3 ")


@pytest.mark.parametrize(
    ("argument", "address", "parameters"),
    [
        ("a@b.test", "a@b.test", {}),
        (" a@b.test SIZE=5 BODY=8BITMIME", "a@b.test", {"SIZE": "5", "BODY": "8BITMIME"}),
        ("@relay.test:a@b.test", "a@b.test", {}),
        ("postmaster", "postmaster", {}),
    ],
)
def test_addresses_without_angle_brackets(argument: str, address: str, parameters: dict[str, str]) -> None:
    for path in (parse_mail(f"FROM:{argument}"), parse_rcpt(f"to:{argument}")):
        assert path is not None
        assert (path.address, path.parameters) == (address, parameters)


@pytest.mark.parametrize("argument", ["", " ", "a@b.test>", "<a@b.test", '"a b"@c.test', "a@b\tx\x01"])
def test_what_is_neither_form_is_no_path(argument: str) -> None:
    assert parse_mail(f"FROM:{argument}") is None
    assert parse_rcpt(f"TO:{argument}") is None


async def test_auth_works_after_helo() -> None:
    services = Services()
    shared = context(services)
    answer = await send(
        b"\r\n.\r\n",
        shared,
        sender=b"<u@here.test>",
        recipients=[b"a@far.test"],
        greeting=b"HELO client.test\r\n" + PLAIN,
    )
    assert answer.startswith((b"235 ", b"250 "))
    assert services.senders_asked[0].login_mailbox == ACCOUNT
