"""DMARC aggregate reports (RFC 9990): mail from outside counted by day and domain, and brought to the domains that ask for it."""

import asyncio
import gzip
import ipaddress
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from email import message_from_bytes, policy
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import msgspec
import pytest

from bodystore import SameDatabase
from mailkit.ids import new_id
from mailkit.net.dns import Resolver
from mailkit.postgres.singleton import Singleton
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.http_server import HttpSide
from mailkit.testing.dns import FakeDns
from mailkit.testing.speed import patient
from queue_worker import metrics
from queue_worker.dmarc import counts
from queue_worker.dmarc.counts import DmarcCounts
from queue_worker.dmarc.report import NAMESPACE, content
from queue_worker.dmarc.report_to import DmarcReportTo
from queue_worker.reports.mail import DayReport
from queue_worker.service import web
from queue_worker.storage import dmarc_results
from queue_worker.storage.dmarc_results import LEFT_OUT, DmarcDay, DmarcFacts, DmarcResults, row
from queue_worker_api.client import QueueClient
from queue_worker_api.wire import DkimCount, DmarcCount, Refusal, Stamp, SubmissionRecipient

from .conftest import QueueWithWorkers

DAY = date(2026, 3, 1)
POLICY = "p=reject;sp=none;np=none;adkim=r;aspf=s;t=n"
FAILED = DmarcCount(
    "far.test",
    POLICY,
    "www.far.test",
    "quarantine",
    "local_policy",
    False,
    False,
    "a.test",
    "a.test",
    "softfail",
    [DkimCount("b.test", "s1", "pass"), DkimCount("far.test", "s2", "fail")],
)
PASSED = msgspec.structs.replace(FAILED, disposition="pass", reason="", dkim=True, spf=True)
FACTS = DmarcFacts.of(FAILED, "192.0.2.1", "here.test")

#: Elements in their order, and how often each may be there (RFC 9990 3.1.1): of each in the path, its children.
SCHEMA = {
    "feedback": [("version", "O"), ("report_metadata", "R"), ("policy_published", "R"), ("record", "+")],
    "report_metadata": [
        ("org_name", "R"),
        ("email", "R"),
        ("extra_contact_info", "O"),
        ("report_id", "R"),
        ("date_range", "R"),
        ("error", "O"),
        ("generator", "O"),
    ],
    "date_range": [("begin", "R"), ("end", "R")],
    "policy_published": [
        ("domain", "R"),
        ("discovery_method", "O"),
        ("p", "R"),
        ("sp", "O"),
        ("np", "O"),
        ("fo", "O"),
        ("adkim", "O"),
        ("aspf", "O"),
        ("testing", "O"),
    ],
    "record": [("row", "R"), ("identifiers", "R"), ("auth_results", "R")],
    "row": [("source_ip", "R"), ("count", "R"), ("policy_evaluated", "R")],
    "policy_evaluated": [("disposition", "R"), ("dkim", "R"), ("spf", "R"), ("reason", "*")],
    "reason": [("type", "R"), ("comment", "O")],
    "identifiers": [("header_from", "R"), ("envelope_from", "O"), ("envelope_to", "O")],
    "auth_results": [("dkim", "*"), ("spf", "O")],
    "auth_results/dkim": [("domain", "R"), ("selector", "R"), ("result", "R"), ("human_result", "O")],
    "auth_results/spf": [("domain", "R"), ("scope", "O"), ("result", "R"), ("human_result", "O")],
}
_DISPOSITION, _ALIGNED = ("none", "quarantine", "reject"), ("pass", "fail")
#: The values that the RFC's schema and text allow, where they are not any text.
VALUES: dict[str, tuple[str, ...]] = {
    "version": ("1.0",),
    "discovery_method": ("psl", "treewalk"),
    "p": _DISPOSITION,
    "sp": _DISPOSITION,
    "np": _DISPOSITION,
    "adkim": ("r", "s"),
    "aspf": ("r", "s"),
    "testing": ("n", "y"),
    "disposition": (*_DISPOSITION, "pass"),
    "policy_evaluated/dkim": _ALIGNED,
    "policy_evaluated/spf": _ALIGNED,
    "type": ("local_policy", "mailing_list", "other", "policy_test_mode", "trusted_forwarder"),
    "scope": ("mfrom",),
    "dkim/result": ("none", "pass", "fail", "policy", "neutral", "temperror", "permerror"),
    "spf/result": ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"),
}
_TIMES = {"R": (1, 1), "O": (0, 1), "*": (0, 10**9), "+": (1, 10**9)}


def check(element: Element, parent: str = "") -> None:
    """Assert that an element and those below it are as the RFC's tables say."""
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    assert element.tag == f"{{{NAMESPACE}}}{name}"
    allowed = SCHEMA.get(f"{parent}/{name}", SCHEMA.get(name) if len(element) else None)
    if allowed is None:
        text = element.text or ""
        assert len(element) == 0 and text
        values = VALUES.get(f"{parent}/{name}", VALUES.get(name))
        assert values is None or text in values, (name, text)
        if name in ("begin", "end", "count"):
            assert text.isascii() and text.isdigit()
        if name == "source_ip":
            assert ipaddress.ip_address(text)
        return
    children = [each.tag.rpartition("}")[2] for each in element]
    order = [each for each, _ in allowed]
    assert set(children) <= set(order) and children == sorted(children, key=order.index), children
    for each, times in allowed:
        least, most = _TIMES[times]
        assert least <= children.count(each) <= most, each
    for child in element:
        check(child, name)


def parsed(compressed: bytes) -> Element:
    root = ElementTree.fromstring(gzip.decompress(compressed))
    check(root)
    return root


def texts(of: Element, path: str) -> list[str]:
    names = "/".join(f"{{{NAMESPACE}}}{each}" for each in path.split("/"))
    return [each.text or "" for each in of.findall(names)]


@pytest.fixture
def dns() -> Iterator[FakeDns]:
    with FakeDns() as server:
        server.set("_dmarc.far.test", TXT=['"v=DMARC1; p=reject; rua=mailto:dmarc@far.test"'])
        yield server


@pytest.fixture
def reporting(world: QueueWithWorkers, dns: FakeDns) -> QueueWithWorkers:
    """Workers that count and report."""
    world.settings = world.settings.model_copy(update={"dmarc_reports": True, "dns_servers": (dns.server,)})
    return world


async def sent(world: QueueWithWorkers) -> list[Any]:
    """The reports in the queue."""
    rows = await world.pool.fetch("select body_id from queue.message where bounce order by id")
    bodies = SameDatabase(world.pool)
    return [message_from_bytes(await bodies.read(each["body_id"]), policy=policy.default) for each in rows]


async def test_a_day_is_counted_and_reported_once(reporting: QueueWithWorkers) -> None:
    world, worker = reporting, reporting.worker()
    stamp = Stamp(counted=[FAILED])
    local = world.mailbox("u@here.test")
    message = world.message(local, stamp=stamp, client_address="192.0.2.1")
    await world.submit(message, worker=worker)
    await world.submit(message, worker=worker)  # repeated, it is the same message
    await world.submit(world.message(local, stamp=stamp, client_address="::ffff:192.0.2.1"), worker=worker)
    both = (local, SubmissionRecipient("v@far.test", "v@other.test"))
    await world.submit(world.message(*both, stamp=Stamp(counted=[PASSED]), client_address="2001:db8::1"), worker=worker)
    reports = worker.dmarc_reports
    await reports.write()
    await reports.round()
    assert await sent(world) == []  # the day is not over
    world.pass_time(86_400)
    again = world.worker().dmarc_reports
    kept = await world.rows("dmarc_result")
    await reports.round()
    await again._report(DAY, "far.test")  # as after a stop between the mail and its record
    (mail,) = await sent(world)
    assert len(kept) == 2 and await world.rows("dmarc_result") == []
    report = DayReport("dmarc", "far.test", DAY, "mx.here.test")
    assert mail["From"] == "dmarc-reports@mx.here.test" and mail["To"] == "dmarc@far.test"
    assert mail["Subject"] == f"Report Domain: far.test Submitter: mx.here.test Report-ID: <{report.identifier}>"
    row_ = await world.pool.fetchrow("select mail_from, bounce from queue.message where bounce")
    assert tuple(row_) == ("", True)
    _, attached = mail.iter_parts()
    assert attached.get_content_type() == "application/gzip"
    assert attached.get_filename() == "mx.here.test!far.test!1772323200!1772409599.xml.gz"
    root = parsed(attached.get_payload(decode=True))
    assert texts(root, "report_metadata/report_id") == [report.identifier]
    assert texts(root, "report_metadata/date_range/begin") == ["1772323200"]
    assert {name: texts(root, f"policy_published/{name}") for name in ("domain", "p", "sp", "np", "testing")} == {
        "domain": ["far.test"],
        "p": ["reject"],
        "sp": ["none"],
        "np": ["none"],
        "testing": ["n"],
    }
    found = {texts(each, "row/source_ip")[0]: each for each in root.findall(f"{{{NAMESPACE}}}record")}
    failed, passed = found["192.0.2.1"], found["2001:db8::1"]
    assert texts(failed, "row/count") == ["2"] and texts(passed, "row/count") == ["1"]
    assert texts(failed, "row/policy_evaluated/disposition") == ["quarantine"]
    assert texts(failed, "row/policy_evaluated/reason/type") == ["local_policy"]
    assert texts(passed, "row/policy_evaluated/dkim") == texts(passed, "row/policy_evaluated/spf") == ["pass"]
    assert texts(passed, "row/policy_evaluated/reason/type") == []
    assert texts(failed, "identifiers/header_from") == ["www.far.test"]
    assert texts(failed, "identifiers/envelope_to") == ["here.test"]
    assert texts(passed, "identifiers/envelope_to") == []  # of several domains none
    assert texts(failed, "auth_results/dkim/selector") == ["s1", "s2"]
    assert texts(failed, "auth_results/dkim/result") == ["pass", "fail"]
    assert texts(failed, "auth_results/spf/result") == ["softfail"]


async def test_what_was_refused_counts_once_and_what_comes_again_does_not(reporting: QueueWithWorkers) -> None:
    worker = reporting.worker()
    side = HttpSide(web(reporting.settings, Lifecycle(), worker), "127.0.0.1", 0)
    await side.start()
    client = QueueClient(f"http://127.0.0.1:{side.port}", reporting.settings.token_gateway_queue)
    refused = Refusal(
        new_id(),
        "dmarc",
        "550 5.7.1 no",
        "DATA",
        "192.0.2.1",
        mail_from="x@a.test",
        recipients=["u@here.test"],
        counted=[FAILED],
    )
    later = msgspec.structs.replace(refused, id=new_id(), reply="451 4.3.0 later")
    for _ in range(2):
        await client.record_refusals([refused, later])
    await client.aclose()
    await side.stop()
    assert list(worker.dmarc_counts.take().values()) == [1]


async def test_a_report_to_an_address_here_goes_where_that_leads(reporting: QueueWithWorkers) -> None:
    """By MX it would come back to ourselves, which is a loop: such domains got no reports."""
    world, worker = reporting, reporting.worker()
    box = world.auth.add_mailbox("dmarc@far.test", "secret")

    async def reported(day: date) -> tuple[str, list[tuple[str, Any]]]:
        before = {each["id"] for each in await world.rows("message")}
        await DmarcResults(world.pool, world.clock).add(Counter([row(day, "far.test", POLICY, FACTS)]))
        world.pass_time(86_400)
        await worker.dmarc_reports.round()
        rows = await world.pool.fetch("select message_id, address, mailbox_id from queue.recipient order by n")
        left = "later" if await world.rows("dmarc_result") else "done"
        return left, [(each["address"], each["mailbox_id"]) for each in rows if each["message_id"] not in before]

    assert await reported(DAY) == ("done", [("dmarc@far.test", box.id)])
    world.auth.forwards["dmarc@far.test"] = (["x@else.test"], True)
    assert await reported(DAY + timedelta(days=1)) == ("done", [("dmarc@far.test", box.id), ("x@else.test", None)])
    world.auth.away = True
    assert await reported(DAY + timedelta(days=2)) == ("later", [])
    world.auth.away = False
    await worker.dmarc_reports.round()
    assert await world.rows("dmarc_result") == []
    del world.auth.mailboxes["dmarc@far.test"], world.auth.forwards["dmarc@far.test"]
    assert await reported(DAY + timedelta(days=3)) == ("done", []), "no such address"


async def test_off_by_default(world: QueueWithWorkers) -> None:
    worker = world.worker()
    await world.submit(
        world.message(world.mailbox("u@here.test"), stamp=Stamp(counted=[FAILED]), client_address="192.0.2.1"),
        worker=worker,
    )
    assert not worker.dmarc_counts.take()
    await DmarcResults(world.pool, world.clock).add(Counter([row(DAY, "far.test", POLICY, FACTS)]))
    world.pass_time(86_400)
    await worker.dmarc_reports.round()
    assert await world.rows("dmarc_result") == [] and await sent(world) == []


async def test_rows_are_bounded_and_the_report_says_what_is_left_out(
    world: QueueWithWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dmarc_results, "MOST_OF_DOMAIN", 3)
    monkeypatch.setattr(dmarc_results, "MOST", 6)
    results = DmarcResults(world.pool, world.clock)
    many = [msgspec.structs.replace(FACTS, source=f"192.0.2.{n}") for n in range(5)]
    left_out = metrics.DMARC_LEFT_OUT._value.get()
    for _ in range(2):
        await results.add(Counter([row(DAY, "far.test", POLICY, each) for each in many]))
    kept = {each["key"]: each["messages"] for each in await world.rows("dmarc_result")}
    assert len(kept) == 4 and kept[LEFT_OUT] == 4 and sum(kept.values()) == 10
    day = await results.of(DAY, "far.test")
    assert day is not None and day.left_out == 4 and len(day.records) == 3
    root = parsed(content(DayReport("dmarc", "far.test", DAY, "mx.here.test"), day))
    assert texts(root, "report_metadata/error")[0].startswith("4 messages ")
    await results.add(Counter([row(DAY, f"d{n}.test", POLICY, FACTS) for n in range(5)]))
    assert len(await world.rows("dmarc_result")) == 6
    assert metrics.DMARC_LEFT_OUT._value.get() - left_out == 4 + 3
    monkeypatch.setattr(counts, "MOST_HELD", 2)
    held = DmarcCounts(world.clock)
    for each in ("a.test", "b.test", "c.test", "a.test"):
        held.refused(
            Refusal(
                new_id(),
                "r",
                "550 no",
                client_address="192.0.2.1",
                counted=[msgspec.structs.replace(FAILED, domain=each)],
            )
        )
    assert sorted(held.take().values()) == [1, 2]


async def test_two_workers_add_the_same_rows_and_the_last_policy_is_reported(world: QueueWithWorkers) -> None:
    results = DmarcResults(world.pool, world.clock)
    rows = Counter(
        [row(DAY, "far.test", POLICY, msgspec.structs.replace(FACTS, source=f"192.0.2.{n}")) for n in range(50)]
    )
    await asyncio.gather(*(results.add(rows) for _ in range(4)))
    assert {each["messages"] for each in await world.rows("dmarc_result")} == {4}
    world.pass_time(60)
    changed = POLICY.replace("p=reject", "p=none")
    await results.add(Counter([row(DAY, "far.test", changed, FACTS), row(DAY, "far.test", POLICY, FACTS)]))
    await results.add(Counter([row(DAY, "far.test", changed, FACTS)]))
    day = await results.of(DAY, "far.test")
    assert day is not None and day.policy == changed
    await results.remove(DAY, "far.test")
    assert await results.of(DAY, "far.test") is None


def test_texts_of_strangers_are_escaped() -> None:
    odd = '<a>&"\x00\x1f\ufffe\n]]>'
    facts = msgspec.structs.replace(FACTS, spf_domain=odd, signatures=((odd, odd, "permerror"),))
    stored = msgspec.json.decode(row(DAY, "far.test", POLICY, facts).facts, type=DmarcFacts)
    assert stored == facts and "\0" not in row(DAY, "far.test", POLICY, facts).facts
    root = parsed(content(DayReport("dmarc", "far.test", DAY, "mx.here.test"), DmarcDay(POLICY, [(stored, 1)], 0)))
    assert texts(root, "record/auth_results/spf/domain") == ['<a>&"????]]>']


async def test_where_reports_go(dns: FakeDns) -> None:
    to = DmarcReportTo(Resolver([dns.server], timeout=patient(1), lifetime=patient(1)))

    async def places(rua: str) -> list[str] | None:
        dns.set("_dmarc.one.test", TXT=[f'"v=DMARC1; p=none; rua={rua}"'])
        fresh = DmarcReportTo(Resolver([dns.server], timeout=patient(1), lifetime=patient(1)))
        found = await fresh.places("one.test")
        return None if found is None else [each.address for each in found]

    assert await to.places("far.test") and await to.places("no.test") == []
    dns.set("one.test._report._dmarc.agrees.test", TXT=['"v=DMARC1"'])
    dns.fail("one.test._report._dmarc.away.test", "SERVFAIL")
    assert await places("mailto:a@one.test,mailto:b@agrees.test,mailto:c@victim.test") == [
        "a@one.test",
        "b@agrees.test",
    ]
    assert await places("mailto:a@away.test,mailto:b@one.test") == ["b@one.test"]
    assert await places("mailto:a@away.test") is None
    assert await places(",".join(f"mailto:{n}@one.test" for n in range(9))) == [f"{n}@one.test" for n in range(5)]
    assert await places("https://one.test/") == []


async def test_a_limit_of_the_address_is_kept(reporting: QueueWithWorkers, dns: FakeDns) -> None:
    world = reporting
    results = DmarcResults(world.pool, world.clock)
    for domain, rua in (
        ("far.test", "mailto:a@far.test!1k,mailto:b@far.test!1m"),
        ("near.test", "mailto:a@near.test!10"),
    ):
        dns.set(f"_dmarc.{domain}", TXT=[f'"v=DMARC1; p=none; rua={rua}"'])
        await results.add(Counter([row(DAY, domain, POLICY, FACTS)]))
    world.pass_time(86_400)
    await world.worker().dmarc_reports.round()
    (mail,) = await sent(world)
    assert mail["To"] == "b@far.test" and await world.rows("dmarc_result") == []


async def test_a_domain_without_an_answer_is_tried_for_two_days(reporting: QueueWithWorkers, dns: FakeDns) -> None:
    world = reporting
    dns.fail("_dmarc.away.test", "SERVFAIL")
    await DmarcResults(world.pool, world.clock).add(Counter([row(DAY, "away.test", POLICY, FACTS)]))
    reports = world.worker().dmarc_reports
    reports._singleton = Singleton(world.pool, world.clock, new_id(), "queue", "dmarc_reports")
    for days, left in ((1, 1), (1, 1), (1, 0)):
        world.clock.current += timedelta(days=days)
        await reports.round()
        assert len(await world.rows("dmarc_result")) == left
