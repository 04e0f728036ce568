"""Advice on a domain's zone over HTTP: real look-ups, its own keys, and no wrong sentence for a zone that does not answer (decision 99)."""

from collections.abc import Iterator

import pytest

from auth.storage.callers import service
from mailkit.errors import BadRequest, NotFound
from mailkit.testing.dns import FakeDns

HOST = "ns0.host.test"


@pytest.fixture(scope="module")
def dns() -> Iterator[FakeDns]:
    with FakeDns(ttl=0) as running:
        yield running


@pytest.fixture
def settings(settings, dns):
    dns.zones.clear()
    dns.set(HOST, A=["198.51.100.7"], TXT=['"v=spf1 a -all"'])
    dns.set("7.100.51.198.in-addr.arpa", PTR=[HOST])
    servers = {"dns_servers": (dns.server,), "helo_name": HOST, "dkim_of_new_domains": True}
    return settings.model_copy(update=servers)


def by_purpose(report, purpose: str):
    return [each for each in report["records"] if each["purpose"] == purpose]


async def test_from_an_empty_zone_to_one_that_is_right(auth, dns):
    await auth.admin.add_domain("shop.test")
    report = await auth.admin.domain_dns("shop.test")
    assert (report["domain"], report["state"]) == ("shop.test", "wrong")
    assert [each["state"] for each in by_purpose(report, "source")] == ["right"] * 3
    assert {each["state"] for each in report["records"] if each["purpose"] != "source"} == {"missing"}
    assert [each["name"] for each in by_purpose(report, "dkim")] == [
        "pr-rsa1._domainkey.shop.test",
        "pr-ed1._domainkey.shop.test",
    ]
    publish: dict[str, dict[str, list[str]]] = {}
    for each in report["records"]:
        if each["value"] and each["purpose"] not in ("source", "mta-sts"):
            value = (
                each["zone_text"].replace(f"{HOST}.", HOST) if each["type"] in ("MX", "CNAME") else each["zone_text"]
            )
            publish.setdefault(each["name"], {}).setdefault(each["type"], []).append(value)
    for name, records in publish.items():
        dns.set(name, **records)
    report = await auth.admin.domain_dns("shop.test")
    assert report["state"] == "right"
    assert [each["purpose"] for each in report["records"] if each["state"] != "right"] == ["mta-sts"]
    assert all("within minutes" in each["remarks"][0] for each in by_purpose(report, "dkim")), "not signed with yet"
    await auth.admin.check_dkim_keys("shop.test")
    assert all(each["remarks"] == [] for each in by_purpose(await auth.admin.domain_dns("shop.test"), "dkim"))


async def test_what_could_not_be_asked_is_unknown(auth, dns):
    await auth.admin.add_domain("shop.test")
    dns.fail("shop.test", "SERVFAIL")
    try:
        report = await auth.admin.domain_dns("shop.test")
    finally:
        dns.fail("shop.test", None)
    (mx,), (spf,) = by_purpose(report, "mx"), by_purpose(report, "spf")
    assert (mx["state"], spf["state"]) == ("unknown", "unknown")
    assert mx["problems"][0].startswith("The DNS could not be asked (shop.test MX: ")


async def test_sending_hosts_are_checked_instead_of_our_own_name(auth, settings, dns):
    from auth.parts import assemble

    named = settings.model_copy(
        update={"sending_hosts": ("Out1.host.test.", "out2.host.test"), "own_names": ("mx.test",)}
    )
    parts = assemble(named, auth.pool, auth.questions, auth.clock, None, None)  # type: ignore[arg-type]
    await auth.admin.add_domain("shop.test")
    dns.set("out1.host.test", A=["198.51.100.8"])
    dns.set("shop.test", TXT=['"v=spf1 a:out1.host.test -all"'], MX=["10 mx.test"])
    dns.set("mx.test", A=["198.51.100.9"])
    with service():
        report = (await parts.zones.of("shop.test")).model_dump()
    assert [(each["name"], each["state"]) for each in by_purpose(report, "source")] == [
        ("out1.host.test", "right"),
        ("out1.host.test", "missing"),
        ("8.100.51.198.in-addr.arpa", "missing"),
        ("out2.host.test", "missing"),
    ]
    assert [each["state"] for each in (*by_purpose(report, "mx"), *by_purpose(report, "spf"))] == ["right", "right"]
    assert by_purpose(report, "spf")[0]["value"] == "v=spf1 a:out1.host.test a:out2.host.test ~all"


async def test_a_domain_with_sources_of_its_own_is_checked_with_these(auth, dns):
    await auth.admin.add_domain("shop.test")
    dns.set("own.host.test", A=["198.51.100.30"])
    report = await auth.admin.domain_dns("shop.test", ["own.host.test", "Own2.host.test"])
    assert by_purpose(report, "spf")[0]["value"] == "v=spf1 a:own.host.test a:own2.host.test ~all"
    assert by_purpose(report, "mx")[0]["value"] == f"10 {HOST}."
    for wrong in (["a\0b"], ["a b"], ["x.test"] * 11):
        with pytest.raises(BadRequest):
            await auth.admin.domain_dns("shop.test", wrong)


async def test_only_our_own_domains_are_looked_at(auth, dns):
    before = sum(dns.queries.values())
    with pytest.raises(NotFound):
        await auth.admin.domain_dns("elsewhere.test")
    assert sum(dns.queries.values()) == before
