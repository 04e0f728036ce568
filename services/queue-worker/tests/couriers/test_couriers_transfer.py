"""Messages over one connection: byte for byte, by each host's abilities, and every way an answer can differ."""

import asyncio
import threading
from dataclasses import replace

import pytest

from queue_worker.models import Outcome

ENDS = [b"", b"x", b".", b".\r\n", b"..\r\n", b"\r\n.\r\n", b"a\r\n.b\r\n..\r\n.\r\nc", b"\xff\xe4\r\n" * 3]


async def test_what_arrives_is_what_was_sent(outside, far):
    bodies = [b"Subject: x\r\n\r\n" + end for end in ENDS] + ENDS[2:4]
    messages = [outside.message(f"b{n}@far.test", body=body) for n, body in enumerate(bodies)]
    results = await outside.deliver(*messages)
    assert {o.outcome for o in results.values()} == {Outcome.delivered}
    got = {m.recipients[0]: m.data for m in far.messages}
    for n, body in enumerate(bodies):
        assert got[f"b{n}@far.test"] == (body if body.endswith(b"\r\n") else body + b"\r\n")
    assert far.connections == 1


async def test_a_delivery_says_what_the_host_said(outside, far):
    far.behaviour.dot = ["250-2.6.0 queued", "250 2.6.0 as 17"]
    result = await outside.result()
    assert (result.outcome, result.status, result.remote_host) == (Outcome.delivered, "2.6.0", "mx10.far.test")
    assert result.diagnostic == result.text == "250-2.6.0 queued 250 2.6.0 as 17"
    assert result.tls is None


@pytest.mark.parametrize("offered", [True, False])
async def test_what_the_sender_asked_about_notifications_is_passed_on_where_it_is_understood(outside, far, offered):
    far.behaviour.extensions = ["PIPELINING", *["DSN"] * offered]
    message = outside.message("b@far.test", "c@far.test")
    asked = {"ret": "HDRS", "envid": "x+2By", "notify": "SUCCESS,DELAY", "orcpt": "rfc822;d@else.test"}
    recipients = [replace(message.recipients[0], **asked), replace(message.recipients[1], ret="HDRS", envid="x+2By")]
    results = await outside.deliver(replace(message, recipients=recipients))
    assert {(o.outcome, o.passed) for o in results.values()} == {(Outcome.delivered, offered)}
    more = (" RET=HDRS ENVID=x+2By", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;d@else.test") if offered else ("", "")
    assert far.commands[1:4] == [
        "MAIL FROM:<a@here.test>" + more[0],
        "RCPT TO:<b@far.test>" + more[1],
        "RCPT TO:<c@far.test>",
    ]


async def test_ten_megabytes(outside, far):
    body = b"Subject: large\r\n\r\n" + b"." * 70 + b"\r\n" + b"0123456789abcdef" * 655_360 + b"\r\n"
    (result,) = (await outside.deliver(outside.message("b@far.test", body=body))).values()
    assert result.outcome is Outcome.delivered
    assert far.messages[0].data == body
    assert far.messages[0].parameters == f"SIZE={len(body)}"


async def test_a_host_without_pipelining_is_asked_one_by_one(outside, far):
    far.behaviour.extensions = []
    far.behaviour.rcpt = lambda address: ["550 no"] if address[0] in "ce" else None
    results = await outside.deliver(
        outside.message("b@far.test", "c@far.test"), outside.message("e@far.test"), outside.message("d@far.test")
    )
    assert {str(k)[0] for k, o in results.items() if o.outcome is Outcome.failed} == {"c", "e"}
    assert [m.recipients for m in far.messages] == [["b@far.test"], ["d@far.test"]]
    assert far.commands[1:] == [
        "MAIL FROM:<a@here.test>",
        "RCPT TO:<b@far.test>",
        "RCPT TO:<c@far.test>",
        "DATA",
        "MAIL FROM:<a@here.test>",
        "RCPT TO:<e@far.test>",
        "RSET",
        "MAIL FROM:<a@here.test>",
        "RCPT TO:<d@far.test>",
        "DATA",
    ]


async def test_helo_when_ehlo_is_unknown(outside, far):
    far.behaviour.ehlo = ["502 5.5.1 what?"]
    assert (await outside.result()).outcome is Outcome.delivered
    assert far.commands[:3] == ["EHLO mx.here.test", "HELO mx.here.test", "MAIL FROM:<a@here.test>"]


async def test_eight_bits_are_announced_where_that_is_possible_and_sent_anyway(outside, far):
    body = "Subject: x\r\n\r\nä\r\n".encode()
    await outside.deliver(outside.message("b@far.test", body=body))
    assert far.messages[-1].parameters == f"SIZE={len(body)} BODY=8BITMIME"
    far.behaviour.extensions = ["PIPELINING"]
    await outside.deliver(outside.message("b@far.test", body=body), port=outside.port)
    assert far.messages[-1].parameters == ""
    assert far.messages[-1].data == body


async def test_smtputf8_is_used_when_it_is_needed_and_there(outside, far):
    far.behaviour.extensions = ["PIPELINING", "SMTPUTF8"]
    await outside.deliver(outside.message("jörg@far.test"))
    assert (far.messages[0].recipients, far.messages[0].parameters) == (["jörg@far.test"], "SMTPUTF8")
    await outside.deliver(outside.message("b@far.test"))
    assert far.messages[1].parameters == ""
    far.behaviour.extensions = ["PIPELINING"]
    results = await outside.deliver(outside.message("jörg@far.test", "b@far.test"), port=outside.port)
    assert (results["jörg@far.test"].outcome, results["jörg@far.test"].status) == (Outcome.failed, "5.6.7")
    assert results["b@far.test"].outcome is Outcome.delivered
    results = await outside.deliver(outside.message("b@far.test", sender="ä@here.test"))
    assert results["b@far.test"].status == "5.6.7"


async def test_local_parts_are_quoted_and_line_ends_never_sent(outside, far):
    results = await outside.deliver(
        outside.message('john "j" doe@far.test', "ok@far.test", "x\r\nRCPT TO:<evil@far.test>\r\n@far.test")
    )
    assert 'RCPT TO:<"john \\"j\\" doe"@far.test>' in far.commands
    assert [o.status for o in results.values() if o.outcome is Outcome.failed] == ["5.1.3"]
    assert not [c for c in far.commands if "evil" in c]
    results = await outside.deliver(outside.message("b@far.test", sender="a\nb@here.test"))
    assert results["b@far.test"].status == "5.1.3"


async def test_each_recipient_has_its_own_answer(outside, far):
    said = {
        "no@far.test": ["550-MAILBOX NOT FOUND", "550-ask postmaster", "550 bye"],
        "later@far.test": ["450 4.2.0 later"],
        "full@far.test": ["552 5.2.2 full"],
        "odd@far.test": ["354 what?"],
    }
    far.behaviour.rcpt = said.get
    results = await outside.deliver(outside.message("b@far.test", *said))
    assert far.messages[0].recipients == ["b@far.test"]
    no, later, full, odd = (results[address] for address in said)
    assert (no.outcome, no.status, no.remote_host) == (Outcome.failed, "5.1.1", "mx10.far.test")
    assert no.text == (
        "while talking to mx10.far.test.:\n>>> RCPT To:<no@far.test>\n<<< 550-MAILBOX NOT FOUND\n"
        "<<< 550-ask postmaster\n<<< 550 bye\n550 <no@far.test>... User unknown"
    )
    assert no.diagnostic == "550-MAILBOX NOT FOUND 550-ask postmaster 550 bye"
    assert (later.outcome, later.status) == (Outcome.deferred, "4.2.0")
    assert (full.outcome, full.status) == (Outcome.failed, "5.2.2")
    assert full.text.endswith("552 <full@far.test>... Service unavailable")
    assert (odd.outcome, odd.status) == (Outcome.deferred, "4.5.0")
    assert outside.events.index("failed no@far.test") < outside.events.index("mark b@far.test")


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("where", "reply", "outcome", "status", "said"),
    [
        (
            "mail",
            "554 sorry, your envelope sender is in my badmailfrom list",
            Outcome.failed,
            "5.0.0",
            "MAIL From:<a@here.test>",
        ),
        ("mail", "451 4.3.0 busy", Outcome.deferred, "4.3.0", "MAIL From:<a@here.test>"),
        ("data", "554 5.7.1 no", Outcome.failed, "5.7.1", "DATA"),
        ("data", "451 4.3.2 no", Outcome.deferred, "4.3.2", "DATA"),
        ("dot", "554 5.7.1 spam", Outcome.failed, "5.7.1", "."),
        ("dot", "452 4.3.1 full", Outcome.deferred, "4.3.1", "."),
    ],
)
async def test_refusals_of_everybody(outside, far, pipelining, where, reply, outcome, status, said):
    if not pipelining:
        far.behaviour.extensions = []
    setattr(far.behaviour, where, [reply])
    results = await outside.deliver(outside.message("b@far.test", "c@far.test"), outside.message("d@far.test"))
    for result in results.values():
        assert (result.outcome, result.status) == (outcome, status)
        assert result.text == f"while talking to mx10.far.test.:\n>>> {said}\n<<< {reply}"
    assert (far.connections, far.messages) == (1, [])
    assert ("RSET" in far.commands) is (where != "dot")


async def test_a_host_that_wants_a_message_for_nobody_gets_a_lone_dot(outside, far):
    far.behaviour.always_354 = True
    far.behaviour.rcpt = lambda address: ["550 no"] if address == "b@far.test" else None
    results = await outside.deliver(outside.message("b@far.test"), outside.message("c@far.test"))
    assert results["b@far.test"].outcome is Outcome.failed
    assert results["c@far.test"].outcome is Outcome.delivered
    assert far.commands.count(".") == 1
    assert [m.recipients for m in far.messages] == [["c@far.test"]]
    assert "mark b@far.test" not in outside.events


async def test_data_answered_with_250_is_a_host_that_miscounts(outside, far):
    far.behaviour.data = ["250 ok"]
    result = await outside.result()
    assert result.outcome is Outcome.deferred
    assert far.messages == []


async def test_an_answer_nobody_asked_for_ends_the_connection(outside, far):
    far.behaviour.unasked = ["250 2.0.0 ok"]
    assert (await outside.result()).outcome is Outcome.delivered
    far.behaviour.unasked = None
    assert (await outside.result()).outcome is Outcome.delivered
    assert far.connections == 2


async def test_a_refusal_in_the_middle_of_the_message_is_the_answer(outside, far):
    far.behaviour.early = ["552 5.3.4 too much"]
    body = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 400_000
    (result,) = (await outside.deliver(outside.message("b@far.test", body=body))).values()
    assert (result.outcome, result.status) == (Outcome.failed, "5.3.4")
    assert far.messages == []
    assert "mark b@far.test" not in outside.events


async def test_a_body_that_cannot_be_read_is_our_trouble_and_stops_nobody_else(outside, far):
    async def gone() -> bytes:
        raise LookupError("no such body")

    results = await outside.deliver(
        outside.message("b@far.test", load_body=gone),
        outside.message("c@far.test"),
        outside.message("d@far.test", load_body=gone),
        outside.message("e@far.test"),
    )
    assert [(str(k)[0], o.outcome.value) for k, o in sorted(results.items(), key=lambda i: str(i[0]))] == [
        ("b", "deferred"),
        ("c", "delivered"),
        ("d", "deferred"),
        ("e", "delivered"),
    ]
    assert results["b@far.test"].status == "4.3.0"


async def test_a_lost_attempt_ends_without_a_dot(outside, far):
    async def lost() -> bool:
        return False

    async def broken() -> bool:
        raise ConnectionError("the database is away")

    results = await outside.deliver(
        outside.message("b@far.test", before_dot=lost),
        outside.message("c@far.test", before_dot=broken),
        outside.message("d@far.test"),
    )
    assert [results[f"{c}@far.test"].outcome for c in "bcd"] == [Outcome.returned, Outcome.returned, Outcome.delivered]
    assert [m.recipients for m in far.messages] == [["d@far.test"]]
    await asyncio.to_thread(far.saw, "(cut)", 2)


async def test_a_large_body_is_marked_behind_the_last_byte(outside, far):
    order: list[str] = []

    async def mark() -> bool:
        order.append("mark")
        return False

    body = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 40_000
    await outside.deliver(outside.message("b@far.test", body=body, before_dot=mark))
    await asyncio.to_thread(far.saw, "(cut)")
    assert order == ["mark"] and far.messages == []


async def test_the_next_envelope_travels_behind_the_dot(outside, far):
    far.behaviour.hold["dot"] = threading.Event()
    work = asyncio.create_task(outside.deliver(*(outside.message(f"b{n}@far.test") for n in range(3))))
    await asyncio.to_thread(far.saw, "DATA")
    far.behaviour.hold["dot"].set()
    await work
    assert far.commands.count("MAIL FROM:<a@here.test> SIZE=45") == 3
    assert [m.connection for m in far.messages] == [1, 1, 1]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    "refusal", ["552 too many recipients", "552 5.5.3 too many", "452 4.5.3 too many", "452 enough"]
)
async def test_recipients_beyond_a_hosts_limit_follow_in_the_next_transaction(outside, far, pipelining, refusal):
    if not pipelining:
        far.behaviour.extensions = []
    limit = 3

    def rcpt(address):
        last = max((n for n, command in enumerate(far.commands) if command.startswith("MAIL")), default=0)
        named = sum(command.startswith("RCPT") for command in far.commands[last:])
        return [refusal] if named > limit else None

    far.behaviour.rcpt = rcpt
    addresses = [f"b{n}@far.test" for n in range(8)]
    results = await outside.deliver(outside.message(*addresses), outside.message("c@far.test"))
    assert {o.outcome for o in results.values()} == {Outcome.delivered}
    got = [m.recipients for m in far.messages]
    assert sorted(r for recipients in got for r in recipients) == sorted([*addresses, "c@far.test"])
    assert max(len(recipients) for recipients in got) == limit and far.connections == 1
    assert outside.events.count("mark b0@far.test") == 3  # a mark before each dot


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [("552 too many recipients", Outcome.failed), ("452 4.5.3 too many", Outcome.deferred)],
)
async def test_the_same_refusal_of_the_first_recipient_is_its_answer(outside, far, refusal, outcome):
    far.behaviour.rcpt = lambda address: [refusal]
    results = await outside.deliver(outside.message("b@far.test", "c@far.test"))
    assert {o.outcome for o in results.values()} == {outcome}
    assert sum(command.startswith("MAIL") for command in far.commands) == 1


async def test_a_mailbox_that_is_full_is_not_a_transaction_that_is(outside, far):
    far.behaviour.rcpt = lambda address: ["552 5.2.2 full"] if address == "c@far.test" else None
    results = await outside.deliver(outside.message("b@far.test", "c@far.test"))
    assert [results[f"{c}@far.test"].outcome for c in "bc"] == [Outcome.delivered, Outcome.failed]


async def test_only_the_recipients_behind_the_dot_are_in_doubt(outside, far):
    far.behaviour.rcpt = lambda address: ["452 4.5.3 enough"] if address == "c@far.test" else None
    far.behaviour.drop_at = "dot"
    results = await outside.deliver(outside.message("b@far.test", "c@far.test"))
    assert results["b@far.test"].outcome is Outcome.in_doubt
    assert results["c@far.test"].outcome is Outcome.deferred  # alone it is the first, and 452 its answer


@pytest.mark.parametrize("junk", ["", "What?", "\xff"])
async def test_lines_without_a_code_behind_an_answer_change_nothing(outside, far, junk):
    far.behaviour.dot = ["250 ok", junk]
    results = await outside.deliver(*(outside.message(f"b{n}@far.test") for n in range(3)))
    assert {(o.outcome, o.diagnostic) for o in results.values()} == {(Outcome.delivered, "250 ok")}
    assert len(far.messages) == 3 and far.connections == 1


async def test_a_complete_answer_counts_though_nonsense_follows(outside, far):
    far.behaviour.dot = ["250 ok", "999 nonsense"]
    assert (await outside.result()).outcome is Outcome.delivered
    assert len(far.messages) == 1
