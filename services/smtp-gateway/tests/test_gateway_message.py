"""What becomes of octets that no message may hold, and how many places one message may go to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_api.wire import RecipientAnswer, Target
from smtp_gateway.policy.content import repaired
from tests.support.gateway import Dialogue, Services, context, send

HEADER = b"Subject: x\r\n\r\n"


async def test_nul_octets_are_refused_or_taken_out() -> None:
    services = Services()
    body = HEADER + b"a\0b\0\0\r\n\0.\r\nc\r\n.\r\n"
    assert await send(body, context(services)) == b"550 5.6.0 A message holds no NUL octets\r\n"
    assert (await send(body, context(services, smtp_strip_nul=True))).startswith(b"250 ")
    (taken,) = services.taken
    assert taken.body.endswith(HEADER + b"ab\r\n.\r\nc\r\n")


def _forward(count: int, start: int = 0) -> RecipientAnswer:
    return RecipientAnswer("accepted", [Target(f"u{n}@far.test") for n in range(start, start + count)])


async def test_more_targets_than_a_message_may_have_are_told_at_rcpt() -> None:
    services = Services()
    services.answers = {"a@here.test": _forward(60), "b@here.test": _forward(41, 60), "c@here.test": _forward(60)}
    shared = context(services, targets_per_message=100)
    talk = Dialogue(shared)
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<>\r\n", replies=3)
    assert (await talk.say(b"RCPT TO:<a@here.test>\r\n")).startswith(b"250 ")
    assert await talk.say(b"RCPT TO:<b@here.test>\r\n") == b"452 4.5.3 Too many recipients\r\n"
    assert (await talk.say(b"RCPT TO:<c@here.test>\r\n")).startswith(b"250 "), "the same places once more are none"
    assert (await talk.say(b"RCPT TO:<d@here.test>\r\n")).startswith(b"250 ")
    await talk.say(b"DATA\r\n")
    assert (await talk.say(HEADER + b".\r\n")).startswith(b"250 ")
    assert len(services.taken[0].recipients) == 61


async def test_no_message_has_more_targets_than_a_smallint_counts() -> None:
    with pytest.raises(ValueError, match="targets_per_message"):
        context(targets_per_message=32_768)


@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\n\n.\r\n"])
async def test_repairing_line_ends_never_changes_where_a_message_ends(ending: bytes) -> None:
    services = Services()
    services.relay = True
    shared = context(services, smtp_repair_bare_lf=True)
    smuggled = b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<u@here.test>\r\nDATA\r\nsecond"
    for pieces in (1, 7):
        text = HEADER + b"first" + ending + smuggled + b"\r\n.\r\n"
        talk = Dialogue(shared)
        await talk.say(b"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\n", replies=5)
        answer = await talk.say(*[text[at : at + pieces] for at in range(0, len(text), pieces)], b"NOOP\r\n", replies=2)
        assert [line[:3] for line in answer.splitlines()] == [b"250", b"250"]
    assert len(services.taken) == 2
    for taken in services.taken:
        assert taken.mail_from == ""
        assert taken.body.endswith(b"DATA\r\nsecond\r\n")
        assert taken.body.count(b"\n") == taken.body.count(b"\r\n")


async def test_bare_line_feeds_are_repaired_only_where_it_is_wanted_and_for_clients_with_a_right() -> None:
    body = HEADER + b"one\ntwo\r\n.\r\n"
    trusted, stranger = Services(), Services()
    trusted.relay = True
    assert (await send(body, context(trusted))).startswith(b"550 5.5.2 ")
    assert (await send(body, context(stranger, smtp_repair_bare_lf=True))).startswith(b"550 5.5.2 ")
    assert (await send(body, context(trusted, smtp_repair_bare_lf=True))).startswith(b"250 ")
    cr = HEADER + b"one\rtwo\r\n.\r\n"
    assert (await send(cr, context(trusted, smtp_repair_bare_lf=True))).startswith(b"550 5.5.2 ")
    assert trusted.taken[0].body.endswith(b"one\r\ntwo\r\n")


async def test_a_message_that_repair_makes_too_large_is_refused() -> None:
    services = Services()
    services.relay = True
    shared = context(services, smtp_repair_bare_lf=True, max_message_bytes=2000)
    assert (await send(HEADER + b"\n" * 1500 + b"\r\n.\r\n", shared)).startswith(b"552 5.3.4 ")


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b".", b"a", b"\0"]), max_size=40).map(b"".join))
def test_repair_adds_carriage_returns_and_takes_nuls_and_does_nothing_else(body: bytes) -> None:
    done = repaired(body, nul=True, bare_lf=True)
    assert b"\0" not in done
    assert done.count(b"\n") == done.count(b"\r\n")
    assert done.replace(b"\r", b"") == body.replace(b"\r", b"").replace(b"\0", b"")
