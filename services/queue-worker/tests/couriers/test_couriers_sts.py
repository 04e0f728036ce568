"""MTA-STS (RFC 8461): policies found in DNS, fetched over HTTPS, kept in Postgres, obeyed, only reported in testing mode."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from mailkit.net.dns import Resolver
from mailkit.testing.dns import FakeDns
from mailkit.testing.sink import Sink
from mailkit.testing.speed import patient, until
from queue_worker.models import Outcome
from queue_worker.tls import sts, sts_fetch
from queue_worker.tls.sts_fetch import Fetch, FetchFailed, Https
from queue_worker.tls.sts_text import BadPolicy, matches, parse, policy_id

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def policy(mode: str = "enforce", mx: str = "mx10.far.test", age: int = 86400) -> str:
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: {age}\r\n"


async def test_enforce_demands_a_verified_name_and_all_workers_share_the_policy(publisher: Any, far: Sink) -> None:
    publisher.publish(policy())
    publisher.certify(far, "mx10.far.test")
    result = await publisher.result()
    assert (result.outcome, result.tls) == (Outcome.delivered, "TLSv1.3"), result
    assert result.connection.startswith(f"{far.address} TLSv1.3 ")
    assert result.connection.endswith(" verified (mta-sts: policy 1 of far.test)")
    assert (await publisher.result()).outcome is Outcome.delivered
    assert publisher.asked == ["mta-sts.far.test/.well-known/mta-sts.txt"]


@pytest.mark.parametrize("broken", ["name", "chain", "plain", "refused"])
async def test_enforce_defers_and_sends_nothing(publisher: Any, far: Sink, broken: str) -> None:
    publisher.publish(policy())
    if broken == "name":
        publisher.certify(far, "mx.other.test")
    elif broken != "plain":
        far.behaviour.starttls = True
    if broken == "refused":
        far.behaviour.tls_refusal = ["454 4.7.0 not now"]
    result = await publisher.result()
    assert (result.outcome, result.status, far.messages) == (Outcome.deferred, "4.7.5", []), result
    assert result.text.startswith("TLS not available: connect failed: "), result.text
    assert "policy 1 of far.test" in result.connection
    if broken != "refused":
        assert "policy 1 of far.test" in result.text


async def test_enforce_leaves_out_hosts_that_the_policy_does_not_name(publisher: Any, far: Sink) -> None:
    publisher.publish(policy(mx="*.far.test"))
    publisher.outside.dns.set("far.test", MX=["5 mx.evil.test", "10 mx10.far.test", "20 a.b.far.test"])
    evil = publisher.outside.sink()
    publisher.outside.dns.set("mx.evil.test", A=[evil.address])
    publisher.outside.dns.set("a.b.far.test", A=[evil.address])
    publisher.certify(evil, "mx.evil.test", "a.b.far.test")
    publisher.certify(far, "mx10.far.test")
    assert (await publisher.result()).remote_host == "mx10.far.test"
    publisher.publish(policy(mx="mx.good.test"), "2")
    result = await publisher.result()
    assert (result.outcome, result.status) == (Outcome.deferred, "4.7.5")
    assert "not named in the MTA-STS policy 2 of far.test" in result.text
    assert evil.connections == 0


async def test_testing_mode_reports_and_delivers_as_without_a_policy(publisher: Any, far: Sink) -> None:
    publisher.publish(policy("testing"))
    far.behaviour.starttls = True
    result = await publisher.result()
    assert (result.outcome, result.tls) == (Outcome.delivered, "TLSv1.3"), result
    assert result.connection.endswith(" not verified (mta-sts-testing: policy 1 of far.test)")
    far.behaviour.starttls = False
    assert (await publisher.result()).outcome is Outcome.delivered
    far.behaviour.starttls = far.behaviour.break_tls = True
    assert (await publisher.result()).status == "4.7.5"  # S11 holds as ever


async def test_a_policy_outlives_its_record_and_its_host_until_max_age(publisher: Any, far: Sink) -> None:
    publisher.publish(policy(age=3600))
    publisher.certify(far, "mx10.far.test")
    await publisher.result()
    far.behaviour.context = None
    publisher.outside.dns.remove("_mta-sts.far.test")
    publisher.reply = web.Response(status=500)
    assert (await publisher.result()).status == "4.7.5"
    publisher.outside.dns.set("_mta-sts.far.test", TXT=['"v=STSv1; id=2;"'])
    assert (await publisher.result()).status == "4.7.5"
    publisher.clock.current += timedelta(seconds=3601)
    result = await publisher.result()
    assert (result.outcome, result.tls) == (Outcome.delivered, "TLSv1.3")


async def test_mode_none_ends_a_policy(publisher: Any, far: Sink) -> None:
    publisher.publish(policy())
    assert (await publisher.result()).status == "4.7.5"
    publisher.publish("version: STSv1\nmode: none\nmax_age: 60\n", "2")
    assert (await publisher.result()).outcome is Outcome.delivered


@pytest.mark.parametrize("fault", ["redirect", "status", "type", "long", "text", "away", "private", "certificate"])
async def test_a_fetch_that_fails_leaves_mail_as_without_a_policy(
    publisher: Any, far: Sink, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(policy())
    replies = {
        "redirect": web.Response(status=302, headers={"Location": "https://mta-sts.far.test/other"}),
        "status": web.Response(status=404, text=policy()),
        "type": web.Response(text=policy(), content_type="text/html"),
        "long": web.Response(text=policy() + "a: b\n" * 20_000),
        "text": web.Response(text="version: STSv1\nmode: enforce\nmax_age: 1\n"),
    }
    publisher.reply = replies.get(fault)
    if fault == "away":
        publisher.port = 1
    elif fault == "private":
        publisher.outside.dns.set("mta-sts.far.test", A=["10.1.2.3"])
    elif fault == "certificate":
        publisher.ca_file = ""
    courier = publisher.courier()
    assert (await publisher.result(courier)).outcome is Outcome.delivered
    monkeypatch.setattr(sts, "KNOWN_SECONDS", 0)
    asked = list(publisher.asked)
    assert (await publisher.result(courier)).outcome is Outcome.delivered
    assert publisher.asked == asked and len(asked) <= 1  # no further fetch for a while, and no redirect is followed


async def test_a_fetch_ends_in_time(publisher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sts_fetch, "FETCH_SECONDS", 0.2)
    resolver = Resolver((publisher.outside.dns.server,))
    quiet = publisher.outside.sink()  # speaks SMTP: no TLS handshake ends
    publisher.outside.dns.set("mta-sts.far.test", A=[quiet.address])
    with pytest.raises(FetchFailed) as found:
        await Fetch(Https(resolver, lambda address: True, ""), quiet.port)("far.test")
    assert found.value.failure in ("sts-policy-fetch-error", "sts-webpki-invalid")


async def test_a_domain_that_was_not_asked_has_not_failed(publisher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policy hosts that keep all fetches busy would turn off the policies of others for five minutes."""
    monkeypatch.setattr(sts, "FETCH_SECONDS", 0.05)
    publisher.publish(policy())
    made = publisher.courier().policies.sts
    places = [made._fetches.take((("domain", f"{n}"),), lambda: None) for n in range(sts.BOUNDS["all"])]
    assert await made.of("far.test") is None
    made._fetches.leave(places[0])
    made._known.clear()
    assert (await made.of("far.test")).mode == "enforce"


async def test_policy_hosts_that_stall_leave_room_for_others(
    publisher: Any, dns: FakeDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty of them kept all fetches of a worker for ten seconds each."""
    monkeypatch.setitem(sts.BOUNDS, "all", 20)
    monkeypatch.setattr(sts, "PATIENCE", 0.1)
    monkeypatch.setattr(sts, "FIRST_SECONDS", patient(600))
    monkeypatch.setattr(sts, "FETCH_SECONDS", patient(600))
    publisher.publish(policy())
    made = publisher.courier().policies.sts
    real, begun = made._fetch, []

    async def fetch(domain: str) -> str:
        begun.append(domain)
        return await real(domain) if domain == "far.test" else await asyncio.Event().wait()

    made._fetch = fetch
    stalling = []
    for n in range(20):
        dns.set(f"_mta-sts.slow{n}.test{n}", TXT=['"v=STSv1; id=1;"'])
        stalling.append(asyncio.ensure_future(made.of(f"slow{n}.test{n}")))
    await until(lambda: len(begun) == 20)
    assert (await made.of("far.test")).mode == "enforce"
    done = [each for each in stalling if each.done()]
    assert len(done) == 1 and await done[0] is None, "one that stalls was given up"
    assert made._failed == {}, "and is asked again at the next occasion"
    for each in made._finding.values():
        each.cancel()
    await asyncio.gather(*stalling, return_exceptions=True)


async def test_a_domain_has_a_few_fetches_and_its_first_one_ends_early(
    publisher: Any, dns: FakeDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sts, "FIRST_SECONDS", 0.2)
    made = publisher.courier().policies.sts
    most, now = 0, 0

    async def fetch(domain: str) -> str:
        nonlocal most, now
        now += 1
        most = max(most, now)
        try:
            return await asyncio.Event().wait()
        finally:
            now -= 1

    made._fetch = fetch
    for n in range(9):
        dns.set(f"_mta-sts.n{n}.slow.test", TXT=['"v=STSv1; id=1;"'])
    assert await asyncio.gather(*(made.of(f"n{n}.slow.test") for n in range(9))) == [None] * 9
    assert most == sts.BOUNDS["domain"] and len(made._failed) == 9
    assert made._fetches.taken == 0


async def test_policies_in_use_are_fetched_again_before_they_expire(publisher: Any, far: Sink) -> None:
    publisher.publish(policy(age=7200))
    await publisher.result()
    refresher = publisher.courier().policies.sts
    assert refresher is not None
    rows, clock = publisher.rows, publisher.clock
    assert await rows.due(clock.now(), 10) == []
    clock.current += timedelta(seconds=3601)
    assert await rows.due(clock.now(), 10) == ["far.test"]
    await refresher.refresh("far.test")
    renewed = await rows.of("far.test", clock.now())
    assert renewed is not None and renewed.expires == clock.now() + timedelta(seconds=7200)
    publisher.reply = web.Response(status=500)
    clock.current += timedelta(seconds=3601)
    await refresher.refresh("far.test")
    assert await rows.due(clock.now(), 10) == []
    assert await rows.of("far.test", clock.now()) == renewed
    clock.current += timedelta(days=1)
    await rows.forget(clock.now())
    assert await publisher.pool.fetchval("select count(*) from queue.sts_policy") == 0


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        ([b"v=STSv1;id=a"], "a"),
        ([b"v=spf1 -all", b"v=STSv1; id=1; other=2"], "1"),
        ([b"v=STSv1; id=1;", b"v=STSv1; id=2;"], None),
        ([b"v=STSv1; id=;"], None),
        ([b"v=STSv1; id=" + b"1" * 33], None),
        ([b"v=STSv1; id=a b;"], None),
        ([b"v=STSv2; id=1;"], None),
        ([b"\xff\xfe"], None),
        ([], None),
    ],
)
def test_the_id_in_the_record(records: list[bytes], found: str | None) -> None:
    assert policy_id(records) == found


def test_a_policy_is_parsed_as_the_rfc_writes_it() -> None:
    text = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n"
    found = parse(text + "x-new: a:b\nmode: none\n", "example.com", "1", START)
    assert (found.mode, found.max_age) == ("enforce", 604800)
    assert found.mx == ("mail.example.com", "*.example.net", "backupmx.example.com")
    assert [
        matches(h, found.mx) for h in ("mail.example.com", "a.example.net", "a.b.example.net", "example.net", "x")
    ] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert parse(policy(age=9_999_999_999), "a.test", "1", START).max_age == 31_557_600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mode: enforce\nmx: a.test\nmax_age: 1",
        policy("strict"),
        policy(mx="a_*.test"),
        policy(mx="*.*.test"),
        policy(mx=""),
        policy().replace("86400", "-1"),
        policy().replace("86400", "1e3"),
        policy() + "no field\n",
        policy() + " " * 60_000 + "x",
        policy(mx=" " * 60_000 + "." + " " * 2_000),
        policy() + "mx: a.test\n" * 201,
        "\0",
    ],
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(BadPolicy):
        parse(text, "far.test", "1", START)
