"""What a message's header may be, and what a submission gets on top."""

import pytest

from mailkit.mail.header import Header, header_of
from mailkit.testing.growth import MOST_GROWTH, growth
from smtp_gateway.policy import content
from tests.support.gateway import Services, context, send


@pytest.mark.parametrize(
    ("start", "pump", "end"),
    [
        (b"Delivered-To: a", b" ", b"b\r\n"),
        (b"Delivered-To:", b" ", b"b\r\n"),
        (b"", b"Delivered-To: a\r\n", b""),
        (b"", b"Received:\r\n", b""),
        (b"Received:", b"\r\n\t", b"\r\n"),
    ],
)
def test_looking_at_a_header_takes_linear_time(start: bytes, pump: bytes, end: bytes) -> None:
    def look(body: bytes) -> None:
        content.refusal(body, Header(header_of(body)), {"u@here.test"})

    assert growth(lambda n: start + pump * (n // len(pump)) + end, look, 100_000) < MOST_GROWTH


async def test_a_header_over_its_limit_is_refused_and_a_long_line_within_it_is_not() -> None:
    services = Services()
    shared = context(services, max_header_bytes=20_000)
    assert (await send(b"X: " + b"y" * 19_000 + b"\r\n\r\n" + b"z" * 50_000 + b"\r\n.\r\n", shared)).startswith(b"250 ")
    answer = await send(b"X: " + b"y" * 21_000 + b"\r\n\r\ntext\r\n.\r\n", shared)
    assert answer == b"552 5.3.4 The message's header is too large\r\n"
    assert (await send(b"X: y\r\n" * 4000 + b"\r\ntext\r\n.\r\n", shared)).startswith(b"552 5.3.4 ")
    assert (await send(b"X: y\r\n" * 4000 + b".\r\n", shared)).startswith(b"552 5.3.4 ")
    assert len(services.taken) == 1


@pytest.mark.parametrize(
    ("fields", "accepted"), [(b"X:\r\n" * 2000, True), (b"X:\r\n y\r\n" * 2000, True), (b"X:\r\n" * 2001, False)]
)
def test_a_header_of_many_fields_is_refused_and_a_folded_one_is_not(fields: bytes, accepted: bool) -> None:
    """A header of 1 MB has 250,000 of them, for which mailauth takes seconds."""
    assert (content.refusal(fields + b"\r\ntext\r\n", Header(fields), set()) is None) == accepted


@pytest.mark.parametrize("name", [b"Delivered-To", b"DELIVERED-TO", b"delivered-to", b"Delivered-To ", b"dELIVERED-tO"])
async def test_our_own_delivered_to_is_a_loop_however_it_is_written(name: bytes) -> None:
    answer = await send(name + b":  U@Here.test \r\n\r\ntext\r\n.\r\n", context())
    assert answer.startswith(b"554 5.4.6 ")


@pytest.mark.parametrize("text", [b"\r\nDate: later\r\n\r\nmore", b"hello there\r\nDate: later\r\n\r\nMessage-ID: <x>"])
async def test_a_submission_without_a_header_gets_one_in_front_of_its_text(text: bytes) -> None:
    services = Services()
    services.relay = True
    assert (await send(text + b"\r\n.\r\n", context(services))).startswith(b"250 ")
    header, _, rest = services.taken[0].body.partition(b"\r\n\r\n")
    assert header.startswith(b"Received: ")
    assert b"\r\nDate: " in header
    assert b"\r\nMessage-ID: <" in header
    assert rest == text.removeprefix(b"\r\n") + b"\r\n"


async def test_mail_that_is_no_submission_and_has_no_header_keeps_its_text() -> None:
    services = Services()
    await send(b"hello there\r\n.\r\n", context(services))
    header, _, rest = services.taken[0].body.partition(b"\r\n\r\n")
    assert b"Date: " not in header
    assert rest == b"hello there\r\n"


async def test_a_submission_keeps_the_fields_it_has() -> None:
    services = Services()
    services.relay = True
    await send(b"DATE : today\r\nmessage-id:\r\n <a@b>\r\n\r\ntext\r\n.\r\n", context(services))
    assert b"\nDate: " not in services.taken[0].body
    assert b"\nMessage-ID: " not in services.taken[0].body


def looping(said: bytes, *targets: str) -> bool:
    body = b"".join(b"Delivered-To: %s\r\n" % address for address in said.split()) + b"\r\ntext\r\n"
    return content.refusal(body, Header(header_of(body)), set(targets)) is not None


def test_a_loop_is_refused_when_every_target_loops() -> None:
    assert looping(b"List@here.test", "list@here.test")
    assert looping(b"list@here.test u@here.test", "list@here.test", "u@here.test")
    assert not looping(b"list@here.test", "list@here.test", "u@here.test")
    assert not looping(b"list@here.test", "list@here.test", "")  # one is relayed: no forward of ours
    assert not looping(b"list@here.test") and not looping(b"", "")
