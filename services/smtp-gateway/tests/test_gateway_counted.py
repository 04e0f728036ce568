"""What is counted of mail from outside for DMARC reports (RFC 9990; docs/decisions/0092)."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from mailkit.net.dns import Resolver
from mailkit.testing.dns import FakeDns
from mailkit.testing.speed import patient
from queue_worker_api.wire import DkimCount, DmarcCount
from smtp_gateway.refusals import RefusalTrace
from smtp_gateway.transaction import Transaction
from tests.support.gateway import Services, context, send
from tests.support.outside import publish, signed

BODY = b"From: Ann <ann@bank.test>\r\nTo: u@here.test\r\nSubject: hello\r\n\r\nHello.\r\n"
HERE, ELSEWHERE = "v=spf1 ip4:192.0.2.0/24 -all", "v=spf1 ip4:198.51.100.1 -all"
RUA = "; rua=mailto:dmarc@reports.test"


@pytest.fixture(scope="module")
def dns() -> Iterator[FakeDns]:
    with FakeDns() as server:
        publish(server, "bank.test", dmarc="v=DMARC1; p=reject; np=none; adkim=s" + RUA, spf=ELSEWHERE)
        publish(server, "shop.test", dmarc="v=DMARC1; p=quarantine; t=y" + RUA)
        publish(server, "club.test", dmarc="v=DMARC1; p=reject" + RUA, spf=HERE)
        publish(server, "mail.club.test")
        publish(server, "silent.test", dmarc="v=DMARC1; p=reject")
        publish(server, "web.test", dmarc="v=DMARC1; p=reject; rua=https://web.test/")
        yield server


async def counted(
    dns: FakeDns, message: bytes, sender: str = "x@bank.test", code: bytes = b"250", **settings: Any
) -> list[DmarcCount]:
    """What travels to queue-worker about one message, in its stamp or with its refusal."""
    services, trace = Services(), RefusalTrace(cast(Any, "a client that is not asked"))
    shared = context(
        services,
        resolver=Resolver([dns.server], timeout=patient(1), lifetime=patient(1)),
        refusals=trace,
        **({"dmarc_reports": True} | settings),
    )
    answer = await send(message + b".\r\n", shared, sender=f"<{sender}>".encode())
    assert answer.startswith(code)
    found = [each.stamp.counted for each in services.taken] + [each.counted for each in trace._waiting]
    (only,) = found
    return only


def of(domain: str) -> bytes:
    return BODY.replace(b"bank.test", domain.encode())


async def test_results_and_identifiers_of_both_mechanisms(dns: FakeDns) -> None:
    (passed,) = await counted(dns, signed(of("club.test"), "mail.club.test"), "x@club.test")
    assert passed == DmarcCount(
        "club.test",
        "p=reject;sp=reject;np=reject;adkim=r;aspf=r;t=n",
        "club.test",
        "pass",
        "",
        True,
        True,
        "club.test",
        "club.test",
        "pass",
        [DkimCount("mail.club.test", "s1", "pass")],
    )
    (failed,) = await counted(dns, signed(of("www.bank.test"), "club.test"), "x@bank.test")
    assert (failed.domain, failed.header_from, failed.policy) == (
        "bank.test",
        "www.bank.test",
        "p=reject;sp=reject;np=none;adkim=s;aspf=r;t=n",
    )
    assert (failed.dkim, failed.spf, failed.spf_domain, failed.spf_result) == (False, False, "bank.test", "fail")
    assert failed.signatures == [DkimCount("club.test", "s1", "pass")]


async def test_of_the_null_sender_the_name_in_helo_was_checked(dns: FakeDns) -> None:
    (found,) = await counted(dns, BODY, "")
    assert (found.envelope_from, found.spf_domain) == ("", "client.test")


@pytest.mark.parametrize(
    ("domain", "settings", "applied"),
    [
        ("bank.test", {"dmarc_reject": "refuse"}, ("reject", "")),
        ("bank.test", {}, ("quarantine", "local_policy")),
        ("bank.test", {"dmarc_reject": "none"}, ("none", "local_policy")),
        ("bank.test", {"trusted_forwarders": ("192.0.2.0/24",)}, ("none", "trusted_forwarder")),
        ("shop.test", {}, ("none", "policy_test_mode")),
    ],
)
async def test_what_was_applied_and_why(
    dns: FakeDns, domain: str, settings: dict[str, Any], applied: tuple[str, str]
) -> None:
    code = b"550" if applied[0] == "reject" else b"250"
    (found,) = await counted(dns, of(domain), code=code, **settings)
    assert (found.disposition, found.reason) == applied


async def test_a_forward_that_is_refused_was_rejected(dns: FakeDns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transaction, "only_forwards", True)
    (found,) = await counted(dns, BODY, code=b"550")
    assert (found.disposition, found.reason) == ("reject", "")


async def test_nothing_without_the_setting_or_a_request_or_about_reports(dns: FakeDns) -> None:
    assert await counted(dns, BODY, dmarc_reports=False) == []
    assert await counted(dns, of("silent.test")) == []
    assert await counted(dns, of("web.test")) == []
    report = b"Report Domain: here.test\r\n Submitter: mx.club.test"
    assert await counted(dns, of("club.test").replace(b"hello", report), "x@club.test") == []
    assert len(await counted(dns, BODY.replace(b"hello", report))) == 1  # forged


async def test_each_domain_in_from_is_counted(dns: FakeDns) -> None:
    two = BODY.replace(b"Ann <ann@bank.test>", b"ann@bank.test, bob@club.test")
    first, second = await counted(dns, two, "x@club.test")
    assert (first.domain, first.disposition) == ("bank.test", "quarantine")
    assert (second.domain, second.disposition, second.spf) == ("club.test", "pass", True)
