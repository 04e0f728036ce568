"""Host after host: connections that fail, break, say goodbye or are kept, TLS that is offered, and the end of the service."""

import asyncio
import re
import ssl
import threading

import pytest
import trustme

from mailkit.testing.speed import patient, until
from queue_worker.couriers import Timeouts, transfer
from queue_worker.couriers.targets import HostAddress, Targets
from queue_worker.models import Outcome

S9 = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"


async def test_no_host_takes_a_connection(outside):
    outside.dns.set("far.test", MX=["10 a.far.test", "20 b.far.test"])
    outside.dns.set("a.far.test", A=[outside.address(), outside.address()])
    outside.dns.set("b.far.test", A=[outside.address()])
    result = await outside.result()
    assert (result.outcome, result.status, result.text) == (Outcome.deferred, "4.4.1", S9)
    assert (result.remote_host, result.diagnostic) == (None, None)


async def test_the_next_address_and_the_next_host_are_tried(outside):
    second = outside.remote("far.test", preference=20)
    outside.dns.set("far.test", MX=["20 mx20.far.test", "10 mx10.far.test"])
    outside.dns.set("mx10.far.test", A=[outside.address(), outside.address()])
    assert (await outside.result()).remote_host == "mx20.far.test"
    assert len(second.messages) == 1


async def test_no_connection_is_made_where_none_is_admitted(outside, far):
    outside.remote("far.test", preference=5)
    asked: list[list[str]] = []

    def admit(hosts):
        asked.append(list(hosts))
        return len(asked) > 1

    courier = outside.courier()
    for outcome in (Outcome.postponed, Outcome.delivered):
        await courier.deliver("far.test", [outside.message("b@far.test")], outside.report, None, admit)
        assert outside.results[-1].outcome is outcome
    assert asked == [["mx5.far.test", "mx10.far.test"]] * 2 and far.commands == []


@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "body"])
async def test_a_host_that_hangs_up_before_the_dot_is_left_for_the_next(outside, stage):
    first, second = outside.remote("far.test"), outside.remote("far.test", preference=20)
    first.behaviour.drop_at = stage
    body = b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 400_000  # more than sockets hold
    results = await outside.deliver(outside.message("b@far.test", body=body))
    assert results["b@far.test"].outcome is Outcome.delivered
    assert [m.data for m in second.messages] == [body] and first.messages == []


async def test_a_host_that_always_hangs_up_defers(outside, far):
    far.behaviour.drop_at = "RCPT"
    results = await outside.deliver(outside.message("b@far.test", "c@far.test"), outside.message("d@far.test"))
    assert {(o.outcome, o.status, o.remote_host) for o in results.values()} == {
        (Outcome.deferred, "4.4.2", "mx10.far.test")
    }
    assert far.connections <= 3


async def test_an_unanswered_dot_is_in_doubt_and_tried_nowhere_else(outside):
    first, second = outside.remote("far.test"), outside.remote("far.test", preference=20)
    first.behaviour.drop_at = "dot"
    result = await outside.result()
    assert (result.outcome, result.remote_host) == (Outcome.in_doubt, "mx10.far.test")
    assert second.messages == [] and second.connections == 0


async def test_only_the_message_behind_the_dot_is_in_doubt(outside):
    """The connection breaks with one dot unanswered and the next envelope on its way."""
    first, second = outside.remote("far.test"), outside.remote("far.test", preference=20)
    first.behaviour.drop_at = "dot"
    results = await outside.deliver(*(outside.message(f"{c}@far.test") for c in "bcd"))
    doubts = [key for key, result in results.items() if result.outcome is Outcome.in_doubt]
    delivered = [m.recipients[0] for m in second.messages]
    assert doubts and sorted(doubts + delivered) == ["b@far.test", "c@far.test", "d@far.test"]


async def test_a_dot_that_is_never_answered_is_in_doubt(outside, far):
    far.behaviour.hold["dot"] = threading.Event()
    result = await outside.result(timeouts=Timeouts(dot=0.2))
    assert result.outcome is Outcome.in_doubt
    assert "did not answer in time" in result.text
    far.behaviour.hold["dot"].set()


@pytest.mark.parametrize(
    ("stage", "timeouts"),
    [
        ("greeting", Timeouts(greeting=0.2)),
        ("EHLO", Timeouts(helo=0.2)),
        ("MAIL", Timeouts(mail=0.2)),
        ("RCPT", Timeouts(rcpt=0.2)),
        ("DATA", Timeouts(data=0.2)),
    ],
)
async def test_a_host_that_says_nothing_is_waited_for_so_long(outside, far, stage, timeouts):
    far.behaviour.hold[stage] = threading.Event()
    result = await outside.result(timeouts=timeouts)
    assert (result.outcome, result.status) == (Outcome.deferred, "4.4.2")
    far.behaviour.hold[stage].set()


async def test_a_host_that_does_not_read_is_cut_off(outside, far):
    far.behaviour.hold["body"] = threading.Event()
    body = b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 2_000_000
    results = await outside.deliver(outside.message("b@far.test", body=body), timeouts=Timeouts(block=0.3))
    assert (results["b@far.test"].outcome, results["b@far.test"].status) == (Outcome.deferred, "4.4.2")
    assert "mark b@far.test" not in outside.events
    far.behaviour.hold["body"].set()


@pytest.mark.parametrize("greeting", ["554 no service here", "421 4.3.2 come back later", "450 4.7.1 busy"])
async def test_a_greeting_that_refuses_sends_on_to_the_next_host(outside, greeting):
    first = outside.remote("far.test")
    first.behaviour.greeting = [greeting]
    result = await outside.result()
    assert (result.outcome, result.status[0]) == (Outcome.deferred, "4")
    assert result.text == f"while talking to mx10.far.test.:\n<<< {greeting}"
    second = outside.remote("far.test", preference=20)
    assert (await outside.result(port=outside.port)).outcome is Outcome.delivered
    assert len(second.messages) == 1


@pytest.mark.parametrize("where", ["mail", "rcpt"])
async def test_a_goodbye_in_the_middle_is_about_the_connection(outside, where):
    first, second = outside.remote("far.test"), outside.remote("far.test", preference=20)
    reply = ["421 4.4.2 shutting down"]
    if where == "mail":
        first.behaviour.mail = reply
    else:
        first.behaviour.rcpt = lambda address: {"c@far.test": reply, "x@far.test": ["550 no"]}.get(address)
    results = await outside.deliver(outside.message("x@far.test", "b@far.test", "c@far.test"))
    assert results["b@far.test"].outcome is results["c@far.test"].outcome is Outcome.delivered
    refused = results["x@far.test"]
    assert refused.outcome is (Outcome.failed if where == "rcpt" else Outcome.delivered)
    assert len(second.messages) == 1


async def test_a_goodbye_everywhere_defers_with_its_words(outside, far):
    far.behaviour.rcpt = lambda address: ["421 4.4.2 shutting down"]
    result = await outside.result()
    assert (result.outcome, result.status) == (Outcome.deferred, "4.4.2")
    assert result.text == ("while talking to mx10.far.test.:\n>>> RCPT To:<b@far.test>\n<<< 421 4.4.2 shutting down")


async def test_a_host_that_takes_few_messages_a_connection_gets_them_all(outside, far):
    far.behaviour.limit = 3
    results = await outside.deliver(*(outside.message(f"b{n}@far.test") for n in range(10)))
    assert {o.outcome for o in results.values()} == {Outcome.delivered}
    assert sorted(m.recipients[0] for m in far.messages) == sorted(f"b{n}@far.test" for n in range(10))


async def test_a_connection_carries_so_many_messages_and_is_then_left(outside, far):
    results = await outside.deliver(*(outside.message(f"b{n}@far.test") for n in range(25)), messages_per_connection=10)
    assert len(results) == 25
    assert [sum(m.connection == n for m in far.messages) for n in (1, 2, 3)] == [10, 10, 5]
    await asyncio.to_thread(far.saw, "QUIT", 2)


async def test_connections_are_kept_for_the_next_group(outside, far):
    for n in range(3):
        await outside.deliver(outside.message(f"b{n}@far.test"))
    assert far.connections == 1
    far.behaviour.rcpt = lambda address: ["550 no"]
    await outside.deliver(outside.message("b@far.test"))
    far.behaviour.rcpt = lambda address: None
    await outside.deliver(outside.message("c@far.test"))
    assert far.connections == 1 and "RSET" in far.commands


async def test_kept_connections_end_when_nobody_needs_them(outside, far):
    await outside.deliver(outside.message("b@far.test"), idle_seconds=0.05)
    await asyncio.to_thread(far.saw, "QUIT")


async def test_a_kept_connection_that_died_unnoticed_costs_nothing(outside, far):
    await outside.deliver(outside.message("b@far.test"))
    far.behaviour.drop_once, far.behaviour.drop_at = True, "MAIL"  # as a firewall that forgot the connection
    assert (await outside.deliver(outside.message("c@far.test")))["c@far.test"].outcome is Outcome.delivered
    assert far.behaviour.drop_at == "" and far.connections == 2


async def test_few_connections_are_kept_in_all(outside):
    for n in range(4):
        outside.remote(f"far{n}.test")
    await outside.deliver(outside.message("b@far0.test"), domain="far0.test", idle_connections=2)
    for n in range(1, 4):
        await outside.deliver(outside.message(f"b@far{n}.test"), domain=f"far{n}.test")
    assert len(outside.couriers[-1]._idle) == 2


# -- TLS


async def _now(found):
    return found


async def test_tls_whenever_it_is_offered(outside, far):
    far.behaviour.starttls = True
    result = await outside.result()
    assert result.outcome is Outcome.delivered
    assert result.tls and result.tls.startswith("TLSv1")
    assert far.messages[0].tls and far.names == ["mx10.far.test"]
    assert [c.split()[0] for c in far.commands] == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"]


async def test_ten_megabytes_over_tls(outside, far):
    far.behaviour.starttls = True
    body = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 655_360
    await outside.deliver(outside.message("b@far.test", body=body))
    assert far.messages[0].data == body


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
async def test_old_servers_are_accepted(outside, far, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    trustme.CA().issue_cert("mx10.far.test").configure_cert(context)
    far.behaviour.starttls, far.behaviour.context = True, context
    result = await outside.result()
    assert result.outcome is Outcome.delivered
    assert result.tls == {"TLSv1": "TLSv1", "TLSv1_1": "TLSv1.1", "TLSv1_2": "TLSv1.2"}[version.name]
    address, tls, cipher, verified = result.connection.split(" ", 3)
    assert (address, tls, verified) == (far.address, result.tls, "not verified") and cipher


@pytest.mark.parametrize("how", ["alert", "plain", "454", "hangup"])
async def test_a_handshake_that_breaks_is_deferred_and_never_plain(outside, far, how, monkeypatch):
    """S11, and the host's other address, which offers no TLS, gets nothing either."""
    plain = outside.sink()
    monkeypatch.setattr(Targets, "of", lambda *_: _now([HostAddress("mx10.far.test", s.address) for s in (far, plain)]))
    far.behaviour.starttls = True
    match how:
        case "alert":
            far.behaviour.break_tls = True
        case "plain":
            far.behaviour.break_tls, far.behaviour.tls_injection = True, b"no key file here\r\n"
        case "454":
            far.behaviour.tls_refusal = ["454 4.7.0 TLS not available due to local problem"]
        case "hangup":
            far.behaviour.drop_at = "STARTTLS"
    result = await outside.result()
    assert (result.outcome, result.status, result.remote_host) == (Outcome.deferred, "4.7.5", "mx10.far.test")
    assert re.fullmatch(r"TLS not available: connect failed: .+", result.text)
    assert far.messages == plain.messages == []
    assert not [c for c in far.commands + plain.commands if c.startswith("MAIL")]


async def test_another_mail_host_is_tried_behind_a_broken_handshake(outside):
    first, second = outside.remote("far.test"), outside.remote("far.test", preference=20)
    first.behaviour.starttls = first.behaviour.break_tls = True
    assert (await outside.result()).outcome is Outcome.delivered
    assert len(second.messages) == 1 and first.messages == []


async def test_a_broken_handshake_says_more_than_a_host_that_is_down(outside, far):
    far.behaviour.starttls = far.behaviour.break_tls = True
    outside.dns.set("far.test", MX=["10 mx10.far.test", "20 mx20.far.test"])
    outside.dns.set("mx20.far.test", A=[outside.address()])
    assert (await outside.result()).text.startswith("TLS not available: connect failed: ")


async def test_plain_text_behind_the_go_ahead_is_not_believed(outside, far):
    far.behaviour.starttls = True
    far.behaviour.tls_injection = b"250-evil\r\n250 SMTPUTF8\r\n"
    results = await outside.deliver(outside.message("j\u00f6rg@far.test"), outside.message("b@far.test"))
    assert results["j\u00f6rg@far.test"].status == "5.6.7"
    assert results["b@far.test"].outcome is Outcome.delivered and far.messages[0].tls


# -- the end of the service


async def test_stopping_cuts_what_has_no_dot(outside, far):
    gate, asked = asyncio.Event(), asyncio.Event()

    async def slow() -> bool:
        asked.set()
        await gate.wait()
        return True

    work = asyncio.create_task(
        outside.deliver(outside.message("b@far.test", before_dot=slow), outside.message("c@far.test"))
    )
    await asked.wait()
    await outside.couriers[-1].stop(5)
    results = await work
    assert {o.outcome for o in results.values()} == {Outcome.returned}
    await asyncio.to_thread(far.saw, "(cut)")
    assert far.messages == []
    again = await outside.deliver(outside.message("d@far.test"))
    assert again["d@far.test"].outcome is Outcome.returned


async def test_stopping_waits_for_the_answer_to_a_dot(outside, far):
    go = far.behaviour.hold["dot"] = threading.Event()
    work = asyncio.create_task(outside.deliver(outside.message("b@far.test"), outside.message("c@far.test")))
    await until(lambda: outside.couriers and any(ledger.dots for ledger in outside.couriers[-1]._groups.values()))
    stop = asyncio.create_task(outside.couriers[-1].stop(10))
    await asyncio.sleep(0)
    go.set()
    await stop
    results = await work
    assert (results["b@far.test"].outcome, results["c@far.test"].outcome) == (Outcome.delivered, Outcome.returned)
    assert [m.recipients for m in far.messages] == [["b@far.test"]]


async def test_a_dot_unanswered_at_the_end_of_grace_is_in_doubt(outside, far):
    go = far.behaviour.hold["dot"] = threading.Event()
    work = asyncio.create_task(outside.deliver(outside.message("b@far.test"), outside.message("c@far.test")))
    await until(lambda: outside.couriers and any(ledger.dots for ledger in outside.couriers[-1]._groups.values()))
    await outside.couriers[-1].stop(0.1)
    results = await work
    assert (results["b@far.test"].outcome, results["c@far.test"].outcome) == (Outcome.in_doubt, Outcome.returned)
    go.set()


async def test_stopping_does_not_wait_for_dns_or_a_connection(outside):
    outside.dns.set("far.test", MX=["10 mx.far.test"])
    outside.dns.fail("far.test", "TIMEOUT")
    work = asyncio.create_task(outside.deliver(outside.message("b@far.test")))
    await until(lambda: outside.dns.asked("far.test", "MX"))
    async with asyncio.timeout(patient(2)):
        await outside.couriers[-1].stop(600)
        assert (await work)["b@far.test"].outcome is Outcome.returned


async def test_a_caller_that_goes_away_has_heard_of_everybody(outside, far):
    far.behaviour.hold["dot"] = threading.Event()
    work = asyncio.create_task(outside.deliver(outside.message("b@far.test"), outside.message("c@far.test")))
    await until(lambda: outside.couriers and any(ledger.dots for ledger in outside.couriers[-1]._groups.values()))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert {o.claim.address: o.outcome for o in outside.results} == {
        "b@far.test": Outcome.in_doubt,
        "c@far.test": Outcome.returned,
    }
    far.behaviour.hold["dot"].set()


async def test_a_bug_of_ours_leaves_nobody_without_an_outcome(outside, far, monkeypatch):
    monkeypatch.setattr(transfer.Transfer, "_named", lambda self, envelope: 1 / 0)
    results = await outside.deliver(outside.message("b@far.test"), outside.message("c@far.test"))
    assert {(o.outcome, o.status) for o in results.values()} == {(Outcome.deferred, "4.3.0")}
