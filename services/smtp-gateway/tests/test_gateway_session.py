"""What a session counts and gives back, with the end of the connection at the worst moment."""

import asyncio
import tracemalloc
from collections.abc import Sequence

import pytest

from auth_api.wire import RecipientAnswer, RecipientQuestion, Target
from mailkit.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InternalError,
    NotFound,
    TooLarge,
    Unanswered,
    Unavailable,
)
from mailkit.rpc.batch import Batcher
from mailkit.testing.speed import until
from mailstore_api.wire import RoomQuestion
from queue_worker_api.wire import LARGE_BODY
from smtp_gateway import accept
from smtp_gateway.policy.recipient import RecipientCheck
from smtp_gateway.smtp.budget import BodyBudget
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.smtp.receiving import Receiving
from smtp_gateway.smtp.session import SmtpSession
from tests.support.gateway import MAILBOX, Dialogue, Services, context, send


async def session_in_data() -> tuple[SmtpSession, SmtpContext]:
    """A session that has answered 354."""
    shared = context(gateway_body_bytes=1 << 20)
    talk = Dialogue(shared)
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\n", replies=5)
    assert b"\r\n354 " in talk.wire.said
    return talk.session, shared


async def test_a_client_that_is_gone_with_its_final_dot_leaves_nothing_held() -> None:
    session, shared = await session_in_data()
    session.data_received(b"Subject: x\r\n\r\n" + b"y" * 1000 + b"\r\n.\r\n")
    assert shared.bodies.bytes > 1000
    session.connection_lost(None)  # before the session's task had a turn
    for _ in range(10):
        await asyncio.sleep(0)
    assert shared.bodies.bytes == 0


async def test_a_client_that_is_gone_in_the_middle_leaves_nothing_held() -> None:
    session, shared = await session_in_data()
    session.data_received(b"Subject: x\r\n\r\n" + b"y" * 1000)
    session.connection_lost(None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert shared.bodies.bytes == 0


@pytest.mark.parametrize("size", [1, 2, 1460])
async def test_a_message_costs_the_memory_that_is_counted_however_it_arrives(size: int) -> None:
    held = BodyBudget(1 << 24)
    room = held.promise(None, 0)
    assert room is not None
    receiving = Receiving(1 << 24, room)
    text = b"x" * 128 * 1024
    tracemalloc.start()
    for at in range(0, len(text), size):
        receiving.feed(bytes(bytearray(text[at : at + size])))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held.bytes == len(text)
    assert used < 1.25 * len(text)
    receiving.drop()


async def test_a_full_mailbox_refuses_mail_but_is_still_where_a_bounce_goes() -> None:
    services = Services()

    async def rooms(items: Sequence[RoomQuestion]) -> list[str]:
        return ["full"] * len(items)

    check = RecipientCheck(Batcher(services.recipients), Batcher(rooms))
    question = RecipientQuestion(MAILBOX.address, "", None, None)
    refusal, _ = await check.check(question, 0)
    assert refusal is not None
    assert str(refusal).startswith("452 4.2.2")
    assert await check.targets(question) == [MAILBOX]


@pytest.mark.parametrize("sender", ["sales@here.test", "SRS0=abc=AB=far.test=joe@here.test"])
async def test_a_sender_of_ours_that_leads_elsewhere_is_handed_over_with_where_it_leads(sender: str) -> None:
    """By MX its bounces came back to ourselves, which is a loop. The question charges nobody."""
    services = Services()
    services.answers = {sender: RecipientAnswer("accepted", [Target("joe@far.test", via=sender)])}
    answer = await send(b"From: a@b.test\r\n\r\nx\r\n.\r\n", context(services), sender=b"<%b>" % sender.encode())
    assert answer.startswith(b"250 ")
    (taken,) = services.taken
    assert taken.sender_target is not None
    assert (taken.sender_target.address, taken.sender_target.mailbox_id) == ("joe@far.test", None)
    assert services.senders_led == [sender] and [each.address for each in services.recipients_asked] == ["u@here.test"]


FINAL = [BadRequest("not a list"), Conflict("twice"), NotFound("no such endpoint"), TooLarge("too large")]
LATER = [Unavailable("away"), Unanswered("cut"), InternalError("a bug"), Forbidden("wrong token")]


@pytest.mark.parametrize("error", [*FINAL, *LATER], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["senders", "recipients", "submit", "submit_large"])
async def test_what_another_service_refuses_for_good_is_final_for_the_client_too(
    step: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """554 5.5.0 ends what no repetition can cure; all else is 451 and stays in the client's queue (RFC 5321 4.2.1)."""
    monkeypatch.setattr(accept, "REPEAT_SECONDS", 0)
    monkeypatch.setattr(accept, "REPEAT_SECONDS", 0)
    there = Services()

    async def refuse(*_: object, **__: object) -> None:
        raise error

    setattr(there, step, refuse)
    talk = Dialogue(context(there))
    await talk.say(replies=1)
    await talk.say(b"EHLO client.test\r\n")
    expected = b"554 5.5.0 " if error in FINAL else b"451 4."
    answer = await talk.say(b"MAIL FROM:<a@far.test>\r\n")
    if step == "senders":
        assert answer.startswith(expected), answer
    else:
        answer = await talk.say(b"RCPT TO:<u@here.test>\r\n")
        if step == "recipients":
            assert answer.startswith(expected), answer
        else:
            await talk.say(b"DATA\r\n")
            size = LARGE_BODY if step == "submit_large" else 10
            answer = await talk.say(b"Subject: x\r\n\r\n" + b"y" * size + b"\r\n.\r\n")
            assert answer.startswith(expected), answer
    assert (await talk.say(b"NOOP\r\n")).startswith(b"250 ")  # the session goes on
    talk.leave()


@pytest.mark.parametrize("verb", [b"EHLO client.test", b"HELO client.test"])
async def test_a_stop_is_said_to_a_client_that_gives_its_transaction_up_by_greeting_again(verb: bytes) -> None:
    shared = context()
    talk = Dialogue(shared)
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<>\r\n", replies=3)
    shared.sessions.drain()
    assert not talk.wire.closed
    talk.session.data_received(verb + b"\r\n")
    await until(lambda: talk.wire.closed)
    assert b"\r\n421 4.3.2 " in talk.wire.said
