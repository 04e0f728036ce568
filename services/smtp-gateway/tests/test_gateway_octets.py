"""Octets that are no text: refused where they come in, and seen by no other service."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.net.proxy import BadHeader, parse_header
from tests.support.gateway import Dialogue, Services, context

#: Latin-1, a lone surrogate as UTF-8 would write it, an overlong form, a cut sequence, beyond Unicode.
NOT_UTF8 = [b"caf\xe9", b"\xed\xa0\x80", b"\xc0\xaf", b"\xe2\x82", b"\xf5\x80\x80\x80"]


@pytest.mark.parametrize("octets", NOT_UTF8)
async def test_an_argument_that_is_not_utf8_is_refused_and_nobody_is_asked(octets: bytes) -> None:
    services = Services()
    talk = Dialogue(context(services))
    await talk.say(b"EHLO client.test\r\n", replies=2)
    for command in (b"MAIL FROM:<%b@d.test> SMTPUTF8", b"VRFY %b", b"AUTH PLAIN %b", b"NOOP %b", b"HELP %b"):
        assert (await talk.say(command % octets + b"\r\n")).startswith(b"501 5.5.2 "), command
    assert (await talk.say(b"MAIL FROM:<a@d.test> SMTPUTF8\r\n")).startswith(b"250 ")
    assert (await talk.say(b"RCPT TO:<%b@here.test>\r\n" % octets)).startswith(b"501 5.5.2 ")
    assert (await talk.say("RCPT TO:<café@here.test>\r\n".encode())).startswith(b"250 ")
    assert [item.mail_from for item in services.senders_asked] == ["a@d.test"]
    assert [item.address for item in services.recipients_asked] == ["café@here.test"]


async def test_octets_that_are_no_text_are_errors_and_many_of_them_end_the_connection() -> None:
    talk = Dialogue(context(smtp_error_seconds=0))
    await talk.say(b"EHLO client.test\r\n", replies=2)
    answer = await talk.say(b"VRFY \xff\r\n" * 50, replies=60)
    assert answer.endswith(b"421 4.7.0 Too many errors\r\n")
    assert talk.wire.closed


@pytest.mark.parametrize("octets", NOT_UTF8)
async def test_a_password_that_is_not_utf8_reaches_nobody(octets: bytes) -> None:
    services = Services()
    talk = Dialogue(context(services))
    await talk.say(b"EHLO client.test\r\n", replies=2)
    plain = base64.b64encode(b"\0u@here.test\0" + octets)
    assert (await talk.say(b"AUTH PLAIN " + plain + b"\r\n")).startswith(b"501 5.5.2 ")
    assert (await talk.say(b"AUTH PLAIN\r\n")).startswith(b"334 ")
    assert (await talk.say(octets + b"\r\n")).startswith(b"501 5.5.2 ")
    assert (await talk.say(b"AUTH LOGIN\r\n")).startswith(b"334 ")
    assert (await talk.say(base64.b64encode(octets) + b"\r\n")).startswith(b"501 5.5.2 ")
    assert services.logins_asked == []


@given(st.binary(max_size=120))
def test_no_surrogate_leaves_a_proxy_header(octets: bytes) -> None:
    for data in (octets, b"PROXY TCP4 " + octets, b"PROXY TCP6 " + octets + b"\r\n"):
        try:
            header = parse_header(data)
        except BadHeader:
            continue
        if header is not None and header.address is not None:
            header.address.encode()


async def test_a_line_too_long_is_refused_once_and_the_next_one_is_read() -> None:
    talk = Dialogue(context())
    await talk.say(replies=1)
    for size in (4097, 8192, 8193, 100_000):
        assert await talk.say(b"NOOP " + b"x" * size + b"\r\n") == b"500 5.5.2 Command line too long\r\n"
        assert (await talk.say(b"NOOP\r\n")).startswith(b"250 ")
