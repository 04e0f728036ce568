"""Each accepted and each refused transaction is one line of the log, which says who, what, by which rule, and the answer."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from structlog.testing import LogCapture

from mailkit.errors import BadRequest, Unavailable
from mailkit.ids import new_id
from mailkit.mail.reply import Reply
from queue_worker_api.wire import MOST_REFUSALS, Origin, Refusal
from smtp_gateway import journal, replies
from smtp_gateway.journal import MOST_LOGGED, NETWORK_BURST, Journal
from smtp_gateway.metrics import REASONS
from smtp_gateway.refusals import MOST_WAITING, RefusalTrace
from smtp_gateway.transaction import Transaction
from tests.support.gateway import ACCOUNT, Dialogue, Services, context

CONTRACT = Path(__file__).parents[3] / "docs/contract.md"


class Recording:
    """The queue, as far as it records refusals."""

    def __init__(self) -> None:
        self.got: list[Refusal] = []
        self.error: Exception | None = None

    async def record_refusals(self, items: Sequence[Refusal], timeout: float) -> None:
        if self.error is not None:
            raise self.error
        assert len(items) <= MOST_REFUSALS
        self.got += items


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found = LogCapture()
    monkeypatch.setattr(journal, "log", structlog.wrap_logger(None, processors=[found]))
    return found.entries


async def test_a_refusal_is_one_line_with_its_rule(lines: list[Any]) -> None:
    talk = Dialogue(context())
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<a@far.test>\r\n", replies=3)
    await talk.say(b"RCPT TO:<x@far.test>\r\n")
    await talk.say(b"FROB secret " + b"x" * 2 * MOST_LOGGED + b"\r\n")
    await talk.say(b"RCPT TO:" + b"x" * 2 * MOST_LOGGED + b" y\r\n")
    assert [(line["command"], line["rule"], line["reply"][:3]) for line in lines] == [
        ("RCPT", "S10", "550"),
        ("unknown", "protocol", "500"),
        ("RCPT", "protocol", "555"),
    ]
    assert lines[0] == {
        "event": "rejected",
        "log_level": "info",
        "client": "192.0.2.1",
        "listener": "smtp",
        "tls": "",
        "helo": "client.test",
        "from": "a@far.test",
        "to": ["x@far.test"],
        "recipients": 0,
        "size": 0,
        "by": "none",
        "account": "",
        "command": "RCPT",
        "rule": "S10",
        "reply": str(replies.NOT_RELAYED),
    }
    assert "secret" not in str(lines[1]), "what is no command may be a password, or part of a message"
    assert len(lines[2]["to"][0]) <= MOST_LOGGED


async def test_an_accepted_transaction_is_one_line(lines: list[Any]) -> None:
    services = Services()
    services.relay = True
    talk = Dialogue(context(services))
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<u@here.test>\r\nRCPT TO:<x@far.test>\r\nDATA\r\n", replies=5)
    said = await talk.say(b"Subject: private\r\n\r\nprivate\r\n.\r\n")
    (line,) = lines
    assert line["event"] == "accepted"
    assert (line["from"], line["to"], line["recipients"]) == ("u@here.test", ["x@far.test"], 1)
    assert (line["by"], line["account"], line["rule"]) == ("grant", "u@here.test", "S2")
    assert line["reply"] == said.decode().strip() == f"250 2.0.0 queued as {line['queue_id'].hex}"
    assert line["size"] == len(services.taken[0].body)
    assert "private" not in str(line)


async def test_a_flood_is_counted_by_rule_and_other_networks_are_still_logged(lines: list[Any]) -> None:
    now = 0.0
    queue = Recording()
    trace = RefusalTrace(cast(Any, queue))
    notes = Journal(trace, lambda: now)

    def refuse(client: str, reply: Reply) -> None:
        notes.refused(client, Origin(), None, Transaction("a@far.test"), "RCPT", "TO:<x@far.test>", reply)

    for n in range(NETWORK_BURST + 50):
        refuse(f"192.0.2.{n}", replies.NOT_RELAYED)
    assert len(lines) == NETWORK_BURST
    refuse("198.51.100.1", replies.NO_MAILBOX)
    assert lines[-1]["rule"] == "S14"
    now = 5.0
    refuse("192.0.2.1", replies.NO_MAILBOX)
    assert len(lines) == NETWORK_BURST + 2, "after a while some of the flood are logged again"
    await notes.count()
    assert lines[-1] == {"event": "rejected_more", "log_level": "info", "rules": {"S10": 50}, "refusals": 50}
    await notes.count()
    assert len(lines) == NETWORK_BURST + 3
    await trace.send()
    assert len(queue.got) == NETWORK_BURST + 2 + 1
    assert (queue.got[-1].rule, queue.got[-1].times, queue.got[-1].client_address) == ("S10", 50, None)


async def test_refusals_are_traced_with_their_transaction() -> None:
    queue, services = Recording(), Services()
    services.relay = True
    trace = RefusalTrace(cast(Any, queue))
    talk = Dialogue(context(services, trace))
    await talk.say(b"EHLO client.test\r\nMAIL FROM:<u@here.test>\r\nRCPT TO:<x@far.test>\r\nDATA\r\n", replies=5)
    said = await talk.say(b"Subject: x\r\n\r\nbare\nline\r\n.\r\n")
    await trace.send()
    (refusal,) = queue.got
    assert (refusal.rule, refusal.reply) == ("content", said.decode().strip())
    assert (refusal.command, refusal.mail_from, refusal.recipients) == ("DATA", "u@here.test", ["x@far.test"])
    assert (refusal.account, refusal.origin.account, refusal.origin.by) == (ACCOUNT, "u@here.test", "grant")
    assert (refusal.client_address, refusal.origin.helo, refusal.size) == ("192.0.2.1", "client.test", 25)


async def test_a_queue_that_is_away_costs_bounded_memory_and_no_refusal_is_lost_before_that() -> None:
    queue = Recording()
    trace = RefusalTrace(cast(Any, queue))
    queue.error = Unavailable("away")
    for _ in range(MOST_WAITING + 7):
        trace.add(Refusal(new_id(), "S10"))
    await trace.send()
    assert len(trace._waiting) == MOST_WAITING
    queue.error = None
    await trace.send()
    trace.sum_up()
    await trace.send()
    assert [(item.rule, item.times) for item in queue.got] == [("S10", 1)] * MOST_WAITING + [("S10", 7)]
    queue.error = BadRequest("an older release")
    trace.add(Refusal(new_id(), "S14"))
    await trace.send()
    assert not trace._waiting, "what is refused is not sent for ever"


def test_every_refusal_has_a_rule_of_the_contract_or_a_reason() -> None:
    text = CONTRACT.read_text()
    every = [reply for reply in vars(replies).values() if isinstance(reply, Reply) and reply.code >= 400]
    rules = {replies.rule(reply) for reply in (*every, replies.unknown_sender_domain("x@far.test"))}
    rows = {rule for rule in (*rules, *replies.RULE_OF_RIGHT.values()) if re.fullmatch(r"[SLPI]\d+", rule)}
    assert {"S7", "S10", "S12", "S14", "S16", "P2"} <= rows
    assert [rule for rule in rows if f"| {rule} |" not in text] == []
    assert {rule for rule in rules - rows if rule not in REASONS} == set()
