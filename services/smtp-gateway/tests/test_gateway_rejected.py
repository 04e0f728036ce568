"""What was refused is in the log: from which client, which command, about what, and how it was answered."""

import pytest
import structlog
from structlog.testing import LogCapture

from smtp_gateway.smtp import session
from smtp_gateway.smtp.session import MOST_LOGGED
from tests.support.gateway import Dialogue, context


async def test_a_refusal_is_one_line_with_its_command_and_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = LogCapture()
    monkeypatch.setattr(session, "log", structlog.wrap_logger(None, processors=[lines]))
    talk = Dialogue(context())
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<a@far.test>\r\n", replies=3)
    await talk.say(b"RCPT TO:<x@far.test>\r\n")
    await talk.say(b"FROB " + b"x" * 2 * MOST_LOGGED + b"\r\n")
    await talk.say(b"RCPT TO " + b"x" * 2 * MOST_LOGGED + b"\r\n")
    found = [line for line in lines.entries if line["event"] == "rejected"]
    assert [(line["command"], line["reply"][:3]) for line in found] == [
        ("RCPT", "550"),
        ("unknown", "500"),
        ("RCPT", "501"),
    ]
    assert found[0]["client"] == "192.0.2.1"
    assert found[0]["helo"] == "client.test"
    assert found[0]["mail_from"] == "a@far.test"
    assert found[0]["about"] == "TO:<x@far.test>"
    assert len(found[2]["about"]) == MOST_LOGGED
