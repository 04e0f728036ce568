"""Questions to the DNS about mail from outside: harm by slow zones, many clients and long records stays with who causes it."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import pytest

from mailauth.dns import DnsTrouble
from mailkit.net.dns import QuestionGivenUp, Resolver
from mailkit.net.listener import Peer
from mailkit.net.under_way import WorkUnderWay
from mailkit.testing.dns import FakeDns
from mailkit.testing.speed import patient, until
from smtp_gateway.incoming.inspection import Inspection
from smtp_gateway.incoming.questions import MOST_OF_MESSAGE, MailQuestions
from smtp_gateway.smtp.context import SmtpContext
from tests.support.gateway import PEER, Services, context, send
from tests.support.outside import publish, quoted, signed

BODY = b"From: Ann <ann@bank.test>\r\nTo: u@here.test\r\nSubject: hello\r\n\r\nHello.\r\n"
JUNK = "\\Junk"


@pytest.fixture(scope="module")
def dns() -> Iterator[FakeDns]:
    with FakeDns(ttl=0) as server:
        publish(server, "bank.test", dmarc="v=DMARC1; p=reject", spf="v=spf1 ip4:198.51.100.1 -all")
        publish(server, "club.test", dmarc="v=DMARC1; p=none", spf="v=spf1 ip4:192.0.2.0/24 -all")
        yield server


def slow(dns: FakeDns, *names: str) -> None:
    for name in names:
        dns.fail(name, "TIMEOUT")


def examining(services: Services, questions: MailQuestions, **settings: Any) -> SmtpContext:
    """A context whose mail from outside is examined with `questions`."""
    shared = context(services, resolver=Resolver(["127.0.0.1:1"]), **settings)
    cast(Inspection, shared.inspection)._questions = questions
    return shared


def resolver(dns: FakeDns) -> Resolver:
    return Resolver([dns.server], timeout=patient(60), lifetime=patient(60), min_ttl=0)


def in_short(questions: MailQuestions) -> None:
    """Have a part of an examination end after 0.3 s."""
    questions.about = partial(questions.about, seconds=0.3)  # type: ignore[method-assign]


def has_asked(dns: FakeDns, name: str) -> bool:
    return dns.asked(name, "A") == 1


async def test_a_question_that_is_given_up_ends_for_all_and_frees_its_socket(dns: FakeDns) -> None:
    slow(dns, "hangs.test")
    asked = resolver(dns)
    waiting = [asyncio.ensure_future(asked.verbatim("hangs.test", "A")) for _ in range(2)]
    await until(lambda: dns.asked("hangs.test", "A") == 1)
    asked.give_up("HANGS.test", "A")
    asked.give_up("hangs.test", "A")
    for each in waiting:
        with pytest.raises(QuestionGivenUp):
            await each
    assert asked._asking == {} and asked._limits == {}
    asked.give_up("hangs.test", "A")
    dns.fail("hangs.test", None)
    dns.set("hangs.test", A=["192.0.2.9"])
    assert await asked.a("hangs.test") == ("192.0.2.9",), "it can be asked again"


async def test_questions_of_one_name_are_one_and_end_in_time(dns: FakeDns) -> None:
    slow(dns, "late.test")
    questions = MailQuestions(
        resolver(dns), WorkUnderWay({"all": 2, "network": 2, "domain": 2}, patience=patient(3600))
    )
    message = questions.about("192.0.2.1", 0.1)
    found = await asyncio.gather(*(message.ask("late.test", "A") for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in found] == ["late.test A: no answer in time"] * 3
    await asyncio.gather(message.ask("late.test", "MX"), return_exceptions=True)
    assert not message.limited
    with pytest.raises(DnsTrouble, match="too many"):
        await message.ask("late.test", "TXT")
    assert message.limited and questions.about(None).limited is False


async def test_ten_slow_networks_leave_room_for_others(dns: FakeDns) -> None:
    """They used all questions under way, and other mail was 451 meanwhile."""
    services, now = Services(), [0.0]
    questions = MailQuestions(
        resolver(dns), WorkUnderWay({"all": 20, "network": 4, "domain": 5}, patience=1.0, clock=lambda: now[0])
    )
    shared = examining(services, questions, dmarc_reject="refuse")
    attack = []
    for n in range(20):
        zone, peer = f"slow{n}.test", Peer(f"198.51.{n % 10}.1", 1, "smtp", False)
        dns.set(zone, MX=[f"10 mx.{zone}"], TXT=[quoted(f"v=spf1 a:hang.{zone} -all")])
        slow(dns, f"hang.{zone}")
        message = send(BODY + b".\r\n", shared, sender=f"<x@{zone}>".encode(), peer=peer, greeting=b"EHLO x\r\n")
        attack.append(asyncio.ensure_future(message))
        await until(partial(has_asked, dns, f"hang.{zone}"))
    under_way = questions._under_way
    assert under_way.taken == 20
    tried = await send(BODY + b".\r\n", shared, sender=b"<x@club.test>", peer=PEER)
    assert tried == b"451 4.4.3 The domain in From cannot be looked up right now\r\n", "too early to give one up"
    now[0] = 1.0
    good = signed(BODY.replace(b"bank.test", b"club.test"), "club.test")
    assert (await send(good + b".\r\n", shared, sender=b"<x@club.test>", peer=PEER)).startswith(b"250 ")
    (verdicts,) = [
        {v.method: v.result for v in reversed(each.stamp.verdicts)}
        for each in services.taken
        if each.mail_from == "x@club.test"
    ]
    assert (verdicts["spf"], verdicts["dkim"], verdicts["dmarc"]) == ("pass", "pass", "pass")
    forged = await send(BODY + b".\r\n", shared, sender=b"<x@club.test>", peer=PEER)
    assert forged == b"550 5.7.1 This message fails the DMARC policy of bank.test\r\n"
    assert 15 <= under_way.taken <= 20
    for each in attack:
        each.cancel()
    await asyncio.gather(*attack, return_exceptions=True)


async def test_the_senders_own_slow_zone_does_not_hide_that_dmarc_fails(dns: FakeDns) -> None:
    """It used all of the message's time, DMARC was not asked for, and the forgery was filed as other mail."""
    dns.set("lazy.test", MX=["10 mx.lazy.test"], TXT=[quoted("v=spf1 a:hang.lazy.test -all")])
    slow(dns, "hang.lazy.test")
    services = Services()
    questions = MailQuestions(resolver(dns))
    in_short(questions)
    shared = examining(services, questions)
    await send(BODY + b".\r\n", shared, sender=b"<x@lazy.test>")
    verdicts = {each.method: each.result for each in reversed(services.taken[0].stamp.verdicts)}
    assert (verdicts["spf"], verdicts["dmarc"], services.taken[0].stamp.folder) == ("temperror", "fail", JUNK)


async def test_a_slow_key_delays_no_other_signature(dns: FakeDns) -> None:
    slow(dns, "s1._domainkey.tardy.test")
    forged = signed(BODY.replace(b"Hello", b"Hallo"), "bank.test").replace(b"Hallo", b"Hello")
    message = signed(forged, "tardy.test")
    services = Services()
    questions = MailQuestions(resolver(dns))
    in_short(questions)
    await send(message + b".\r\n", examining(services, questions), sender=b"<x@club.test>")
    found = [
        (each.domain, each.result) for each in services.taken[0].stamp.verdicts if each.method in ("dkim", "dmarc")
    ]
    assert found == [("tardy.test", "temperror"), ("bank.test", "fail"), ("bank.test", "fail")]


async def test_the_questions_about_one_message_are_bounded(dns: FakeDns) -> None:
    """SPF alone allows 111 for each identity: ten mechanisms `mx` with ten hosts each."""
    hosts = [f"{n} h{n}-{{}}.long.test" for n in range(10)]
    for n in range(10):
        dns.set(f"m{n}.long.test", MX=[each.format(n) for each in hosts])
        for h in range(10):
            dns.set(f"h{h}-{n}.long.test", A=["198.51.100.7"])
    record = "v=spf1 " + " ".join(f"mx:m{n}.long.test" for n in range(10)) + " -all"
    dns.set("long.test", MX=["10 mx.long.test"], TXT=[quoted(record)])
    dns.set("helo.long.test", TXT=[quoted(record)])
    services = Services()
    asked: Counter[tuple[str, str]] = Counter()
    real = resolver(dns)
    questions = MailQuestions(real)
    verbatim = real.verbatim

    async def counted(name: str, rdtype: str) -> tuple[Any, ...]:
        asked[name, rdtype] += 1
        return await verbatim(name, rdtype)

    real.verbatim = counted  # type: ignore[method-assign]
    shared = examining(services, questions)
    answer = await send(BODY + b".\r\n", shared, sender=b"<x@long.test>", greeting=b"EHLO helo.long.test\r\n")
    assert answer == b"451 4.4.3 The domain in From cannot be looked up right now\r\n", "not filed as other mail"
    assert asked.total() <= MOST_OF_MESSAGE
    none = BODY.replace(b"bank.test", b"none.test")
    await send(
        none + b".\r\n",
        examining(services, questions, dmarc_reject="none", dmarc_quarantine="none"),
        sender=b"<x@long.test>",
    )
    assert {v.result for v in services.taken[0].stamp.verdicts if v.method == "spf"} == {"temperror", "none"}
