"""Parameters of notifications (RFC 3461): their grammar, and that they reach the queue as they were given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.mail import xtext
from queue_worker_api.wire import SubmissionRecipient
from smtp_gateway.smtp.dsn import is_envid, is_notify, is_orcpt, without_success
from tests.support.gateway import MAILBOX, Dialogue, Services, context


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_fuzz_what_is_written_in_xtext_is_read_back(text: str) -> None:
    written = "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
    assert xtext.decode(written) == text


@given(st.text(max_size=40))
def test_fuzz_what_xtext_stands_for_is_one_printable_line_or_nothing(text: str) -> None:
    decoded = xtext.decode(text)
    assert decoded is None or (decoded.isascii() and decoded.isprintable())


@pytest.mark.parametrize("value", ["a=b", "a b", "+", "+2", "+2b", "+0A", "+7F", "+FF", "\u00e4", "a\n"])
def test_malformed_xtext(value: str) -> None:
    assert xtext.decode(value) is None


def test_without_a_notify_nothing_is_stored() -> None:
    assert without_success("") == ""


def test_the_longest_values() -> None:
    assert is_envid("x" * 100) and not is_envid("x" * 101)
    assert is_orcpt("rfc822;" + "x" * 493) and not is_orcpt("rfc822;" + "x" * 494)
    assert is_notify("SUCCESS,DELAY,FAILURE") and not is_notify("SUCCESS,DELAY,FAILURE,DELAY")


async def test_the_queue_gets_them_with_every_target() -> None:
    services = Services()
    services.relay = True
    talk = Dialogue(context(services))
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<a@far.test> RET=hdrs ENVID=x+20y\r\n", replies=3)
    await talk.say(b"RCPT TO:<u@here.test> NOTIFY=success,Failure ORCPT=rfc822;b@else.test\r\n")
    assert (await talk.say(b"DATA\r\n")).startswith(b"354 ")
    assert (await talk.say(b".\r\n")).startswith(b"250 ")
    (taken,) = services.taken
    assert (taken.ret, taken.envid) == ("HDRS", "x+20y")
    assert taken.recipients == [
        SubmissionRecipient(
            *("u@here.test", "u@here.test", MAILBOX.mailbox_id, 1 << 30, 1, ""),
            notify="SUCCESS,FAILURE",
            orcpt="rfc822;b@else.test",
        )
    ]
    talk.leave()


@pytest.mark.parametrize(
    ("asked", "stored"),
    [("SUCCESS", "NEVER"), ("SUCCESS,FAILURE", "FAILURE"), ("DELAY,SUCCESS", "DELAY"), ("NEVER", "NEVER")],
)
async def test_a_client_without_a_right_to_relay_gets_no_report_of_deliveries(asked: str, stored: str) -> None:
    services = Services()
    talk = Dialogue(context(services))
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<forged@far.test>\r\n", replies=3)
    await talk.say(f"RCPT TO:<u@here.test> NOTIFY={asked}\r\n".encode())
    assert (await talk.say(b"DATA\r\n")).startswith(b"354 ")
    assert (await talk.say(b".\r\n")).startswith(b"250 ")
    (taken,) = services.taken
    assert [recipient.notify for recipient in taken.recipients] == [stored]
    talk.leave()
