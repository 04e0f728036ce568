"""Reports about TLS (RFC 8460): sessions counted by day, domain and policy, and brought to the domains that ask for them."""

import asyncio
import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from email import message_from_bytes, policy
from typing import Any, cast

import pytest

from auth_api.client import AuthClient
from auth_api.fake import FakeAuth
from bodystore import SameDatabase
from mailkit.ids import new_id
from mailkit.net.dns import Resolver
from mailkit.postgres.singleton import RUNS, Singleton
from mailkit.testing.sink import Sink
from queue_worker.couriers import RemoteCourier, connecting
from queue_worker.couriers.configured import with_policies
from queue_worker.reports.leading import ReportAddresses
from queue_worker.reports.mail import DayReport
from queue_worker.storage.handovers import Handovers
from queue_worker.storage.tls_results import TlsResults, TlsSession
from queue_worker.tls import results
from queue_worker.tls.policy import TlsPolicy
from queue_worker.tls.report import content, places
from queue_worker.tls.report_to import ReportTo
from queue_worker.tls.results import TlsCounts
from queue_worker.tls.sts_fetch import Https
from queue_worker.upkeep import daily_reports
from queue_worker.upkeep.daily_reports import FIRST, ReportQueue
from queue_worker.upkeep.sts_refresh import StsRefresh
from queue_worker.upkeep.tls_reports import TlsReports

POLICY = "version: STSv1\nmode: {}\nmx: mx10.far.test\nmax_age: 86400\n"
DAY = date(2026, 3, 1)


def reporting(publisher: Any) -> tuple[RemoteCourier, TlsReports]:
    """A worker that counts, and its reports."""
    pool, clock = publisher.pool, publisher.clock
    courier = with_policies(publisher.courier()._settings, publisher.rows, clock, reports=True)
    publisher.outside.couriers.append(courier)
    once = Singleton(pool, clock, new_id(), "queue", "tls_reports")
    queue = ReportQueue(
        Handovers(pool, SameDatabase(pool)), clock, timedelta(days=1), ReportAddresses(cast(AuthClient, FakeAuth()))
    )
    return courier, TlsReports(courier, TlsResults(pool), queue, clock, once, "mx.here.test")


async def sent(publisher: Any) -> list[tuple[Any, Any]]:
    """The reports in the queue: each row and its mail."""
    rows = await publisher.pool.fetch("select * from queue.message order by id")
    bodies = SameDatabase(publisher.pool)
    return [(row, message_from_bytes(await bodies.read(row["body_id"]), policy=policy.default)) for row in rows]


async def test_a_day_is_counted_and_reported_once(publisher: Any, far: Sink) -> None:
    publisher.publish(POLICY.format("testing"))
    publisher.certify(far, "mx.other.test")
    courier, reports = reporting(publisher)
    await publisher.result(courier)
    await courier._idle.close()
    publisher.certify(far, "mx10.far.test")
    await publisher.result(courier)
    await reports.write()
    publisher.outside.dns.set("_smtp._tls.far.test", TXT=['"v=TLSRPTv1; rua=mailto:tls@reports.test"'])
    await reports.round()
    assert await sent(publisher) == []  # the day is not over
    publisher.clock.current += timedelta(days=1)
    kept = await publisher.pool.fetch("select * from queue.tls_result")
    await reports.round()
    await reports._report(DAY, "far.test")  # as after a stop between the mail and its record
    ((row, mail),) = await sent(publisher)
    assert (row["mail_from"], row["bounce"]) == ("", True)
    assert await publisher.pool.fetchval("select tls from queue.asked") == "optional"
    assert await publisher.pool.fetchval("select address from queue.recipient") == "tls@reports.test"
    assert mail.get_content_type() == "multipart/report" and mail.get_param("report-type") == "tlsrpt"
    assert (mail["From"], mail["TLS-Report-Domain"], mail["TLS-Required"]) == (
        "tls-reports@mx.here.test",
        "far.test",
        "No",
    )
    _, attached = mail.iter_parts()
    assert attached.get_content_type() == "application/tlsrpt+gzip"
    told = json.loads(gzip.decompress(attached.get_payload(decode=True)))
    assert told["date-range"]["start-datetime"] == "2026-03-01T00:00:00Z"
    (found,) = told["policies"]
    assert found["policy"]["policy-type"] == "sts"
    assert found["policy"]["policy-string"][:2] == ["version: STSv1", "mode: testing"]
    assert found["policy"]["mx-host"] == ["mx10.far.test"]
    assert found["summary"] == {"total-successful-session-count": 1, "total-failure-session-count": 1}
    (failure,) = found["failure-details"]
    assert failure["result-type"] == "certificate-host-mismatch"
    assert (failure["receiving-mx-hostname"], failure["receiving-ip"]) == ("mx10.far.test", far.address)
    assert kept and not await publisher.pool.fetch("select * from queue.tls_result")


async def test_a_failure_names_the_address_that_we_sent_from_if_it_is_public(
    publisher: Any, far: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(POLICY.format("testing"))
    publisher.certify(far, "mx.other.test")
    courier, reports = reporting(publisher)
    await publisher.result(courier)
    assert {each.source for each in courier.policies.results.take()} == {""}, "an address behind NAT is not told"
    await courier._idle.close()
    monkeypatch.setattr(connecting, "is_public", lambda ip: True)
    await publisher.result(courier)
    (first,) = taken = courier.policies.results.take()
    assert first.source == "127.0.0.1"
    taken[replace(first, source="127.0.0.2")] = 2  # of another one of a pool, in the same minute
    await TlsResults(publisher.pool).add(taken)
    ((session, count),) = await TlsResults(publisher.pool).of(DAY, "far.test")
    assert (session.source, count) == ("127.0.0.2", 3)
    told = json.loads(gzip.decompress(content(DayReport("tls", "far.test", DAY, "mx.here.test"), [(session, count)])))
    (detail,) = told["policies"][0]["failure-details"]
    assert detail["sending-mta-ip"] == "127.0.0.2"


async def test_https_places_and_domains_that_want_none(publisher: Any) -> None:
    courier, reports = reporting(publisher)
    noted = courier.policies.results
    noted.note("far.test", TlsPolicy(), "")
    noted.note("none.test", TlsPolicy(), "")
    noted.note("away.test", TlsPolicy(), "")
    await reports.write()
    url = f"https://mta-sts.far.test:{publisher.port}/reports"
    publisher.outside.dns.set("_smtp._tls.far.test", TXT=[f'"v=TLSRPTv1; rua={url}"'])
    publisher.outside.dns.fail("_smtp._tls.away.test", "SERVFAIL")
    publisher.clock.current += timedelta(days=1)
    await reports.round()
    (posted,) = publisher.posted
    assert json.loads(gzip.decompress(posted))["policies"][0]["policy"]["policy-type"] == "no-policy-found"
    left = [row["domain"] for row in await publisher.pool.fetch("select domain from queue.tls_result")]
    assert left == ["away.test"]
    publisher.clock.current += timedelta(days=3)
    await reports.round()
    assert await publisher.pool.fetchval("select count(*) from queue.tls_result") == 0


async def test_no_post_goes_to_an_address_that_mail_may_not_be_sent_to() -> None:
    """Also if the place is written as an address, about which no resolver is asked."""
    reached: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: reached.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    resolver = Resolver(["127.0.0.1:1"])
    to = ReportTo(resolver, Https(resolver, lambda address: False, ""))
    async with server:
        assert not await to.post(f"https://127.0.0.1:{port}/", b"x")
    assert not reached


async def test_off_by_default_and_bounded(publisher: Any, far: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    courier = publisher.courier()
    await publisher.result(courier)
    assert not courier.policies.results.take() and courier.policies.report_to is None
    monkeypatch.setattr(results, "MOST_HELD", 3)
    counted = TlsCounts(publisher.clock)
    for n in range(10):
        counted.note(f"d{n}.test", TlsPolicy(), "")
        counted.note("d0.test", TlsPolicy(), "")
    taken = counted.take()
    assert len(taken) == 3 and max(taken.values()) == 11
    counted.give_back(taken)
    assert counted.take() == taken
    lines = [f"mx: m{n:04}.d.test" for n in range(200)]
    counted.note("d.test", TlsPolicy("mta-sts", published="\n".join(lines), mx=("x" * 3000, "y")), "")
    (cut,) = counted.take()
    kept = cut.strings.split("\n")
    assert kept == lines[: len(kept)] and len(cut.strings) <= results.MOST_TEXT < len(cut.strings) + 20 and cut.mx == ""


async def test_rounds_count_with_reports_and_mta_sts_off(publisher: Any) -> None:
    """Else PostriderUpkeepStopped would fire where they are off."""
    pool, clock = publisher.pool, publisher.clock
    courier = with_policies(publisher.courier()._settings, None, clock)
    publisher.outside.couriers.append(courier)
    rows = TlsResults(pool)
    await rows.add(Counter([TlsSession(DAY, "far.test", "sts", "p", "", "", "")]))
    clock.current += timedelta(days=1)
    for task in ("sts_off", "tls_reports_off"):
        once = Singleton(pool, clock, new_id(), "queue", task)
        queue = ReportQueue(
            Handovers(pool, SameDatabase(pool)), clock, timedelta(days=1), ReportAddresses(cast(AuthClient, FakeAuth()))
        )
        upkeep = (
            StsRefresh(courier, clock, once)
            if task == "sts_off"
            else TlsReports(courier, rows, queue, clock, once, "mx.here.test")
        )
        await upkeep.round()
        assert RUNS.labels(f"queue.{task}", "ok")._value.get() == 1
    assert await rows.finished(clock.now().date(), FIRST, 10) == []


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([b"v=TLSRPTv1; rua=mailto:a@b.test"], ["a@b.test"]),
        ([b"v=TLSRPTv1;rua=mailto:a%2Bc@b.test,https://r.test/v1"], ["a+c@b.test", "https://r.test/v1"]),
        ([b"v=TLSRPTv1; rua=http://r.test/,mailto:a b@c,mailto:a@b.test%0d%0aBcc:x@y.test"], []),
        (
            [b"v=TLSRPTv1; rua=" + b",".join(b"mailto:a%d@b.test" % n for n in range(9))],
            [f"a{n}@b.test" for n in range(5)],
        ),
        ([b"v=TLSRPTv1; rua=mailto:a@b.test", b"v=TLSRPTv1; rua=mailto:c@b.test"], []),
        ([b"v=spf1 -all"], []),
        ([b"v=TLSRPTv1; other=1"], []),
    ],
)
def test_where_reports_go(records: list[bytes], found: list[str]) -> None:
    assert places(records) == found


def test_a_report_is_bounded() -> None:
    sessions = [
        (TlsSession(DAY, "far.test", "sts", f"p{n % 60}", "validation-failure", f"h{n}", "a"), 1) for n in range(60_000)
    ]
    report = DayReport("tls", "far.test", DAY, "mx.here.test")
    told = json.loads(gzip.decompress(content(report, sessions)))
    assert len(told["policies"]) == 50 and len(told["policies"][0]["failure-details"]) == 500
    assert told["report-id"] == report.identifier


async def test_domains_that_are_tried_later_keep_no_others_back(
    publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_reports, "EACH", 2)
    courier, reports = reporting(publisher)
    for name in ("a.test", "b.test", "c.test"):
        courier.policies.results.note(name, TlsPolicy(), "")
        if name != "c.test":
            publisher.outside.dns.fail(f"_smtp._tls.{name}", "SERVFAIL")
    publisher.outside.dns.set("_smtp._tls.c.test", TXT=['"v=TLSRPTv1; rua=mailto:tls@reports.test"'])
    await reports.write()
    publisher.clock.current += timedelta(days=1)
    await reports.round()
    assert await sent(publisher) == []
    await reports.round()
    assert len(await sent(publisher)) == 1
