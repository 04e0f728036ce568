"""Mail from outside: what SPF, DKIM, ARC and DMARC find, the field that says so, and what follows."""

import asyncio
from collections.abc import Iterator
from typing import Any

import authres
import pytest
from prometheus_client import REGISTRY

from auth_api.wire import RecipientAnswer, Target
from mailkit.errors import ConfigError
from mailkit.net.connections import Connections, Limits
from mailkit.net.dns import Resolver
from mailkit.net.listener import Peer
from mailkit.testing.dns import FakeDns
from mailkit.testing.speed import patient
from queue_worker_api.wire import MailVerdict, Submission
from smtp_gateway.config import GatewaySettings
from smtp_gateway.incoming.policy import DmarcPolicy
from smtp_gateway.incoming.questions import MailQuestions
from smtp_gateway.simulation.dialogue import Dialogue as SimulatedDialogue
from smtp_gateway.simulation.dialogue import SimulatedClient
from smtp_gateway.simulation.forms import Case, Step
from tests.support.gateway import PEER, Services, context, send
from tests.support.outside import publish, quoted, sealed, signed

BODY = b"From: Ann <ann@bank.test>\r\nTo: u@here.test\r\nSubject: hello\r\n\r\nHello.\r\n"
#: Not the client of PEER.
ELSEWHERE = "v=spf1 ip4:198.51.100.1 -all"
HERE = "v=spf1 ip4:192.0.2.0/24 -all"


@pytest.fixture(scope="module")
def dns() -> Iterator[FakeDns]:
    with FakeDns() as server:
        publish(server, "bank.test", dmarc="v=DMARC1; p=reject", spf=ELSEWHERE)
        publish(server, "shop.test", dmarc="v=DMARC1; p=quarantine")
        publish(server, "club.test", dmarc="v=DMARC1; p=none", spf=HERE)
        publish(server, "list.test")
        server.set("broken.test", MX=["10 mx.broken.test"])
        server.fail("_dmarc.broken.test", "SERVFAIL")
        server.fail("s1._domainkey.slow.test", "SERVFAIL")
        server.set("_dmarc.slow.test", TXT=['"v=DMARC1; p=reject"'])
        yield server


async def receive(
    dns: FakeDns, message: bytes, sender: str = "x@bank.test", peer: Peer = PEER, **settings: Any
) -> tuple[bytes, list[Submission]]:
    services = Services()
    shared = context(services, resolver=Resolver([dns.server], timeout=patient(1), lifetime=patient(1)), **settings)
    answer = await send(message + b".\r\n", shared, sender=f"<{sender}>".encode(), peer=peer)
    return answer, services.taken


async def stored(dns: FakeDns, message: bytes, sender: str = "x@bank.test", **settings: Any) -> Submission:
    answer, (taken,) = await receive(dns, message, sender, **settings)
    assert answer.startswith(b"250 ")
    return taken


def told(taken: Submission) -> dict[str, str]:
    return {each.method: each.result for each in reversed(taken.stamp.verdicts)}


def results(taken: Submission) -> Any:
    """Our Authentication-Results, which is the first field, as authres reads it."""
    first, _, rest = taken.body.partition(b"\r\nReceived: ")
    assert first.startswith(b"Authentication-Results: here.test") and rest
    return authres.AuthenticationResultsHeader.parse(first.replace(b"\r\n", b"").replace(b"\t", b" ").decode())


async def test_what_was_found_is_one_field_that_authres_reads(dns: FakeDns) -> None:
    taken = await stored(dns, signed(BODY.replace(b"bank.test", b"club.test"), "club.test"), "x@club.test")
    read = results(taken)
    assert read.authserv_id == "here.test"
    assert [(each.method, each.result) for each in read.results] == [
        ("spf", "pass"),
        ("dkim", "pass"),
        ("dmarc", "pass"),
    ]
    said = {each.name: each.value for found in read.results for each in found.properties}
    assert said["mailfrom"] == "x@club.test" and (said["d"], said["s"], said["from"]) == (
        "club.test",
        "s1",
        "club.test",
    )
    assert taken.body.count(b"Authentication-Results:") == 1
    assert (taken.stamp.folder, taken.stamp.flags, taken.stamp.dmarc_failed) == ("", [], False)


async def test_each_verdict_names_the_record_that_caused_it(dns: FakeDns) -> None:
    taken = await stored(dns, signed(BODY, "list.test"))
    by_method = {each.method: each for each in reversed(taken.stamp.verdicts)}
    assert by_method["spf"] == MailVerdict("spf", "fail", "bank.test", "MAIL FROM: -all", ELSEWHERE, "bank.test")
    assert (by_method["dkim"].record[:8], by_method["dkim"].record_name) == ("v=DKIM1;", "s1._domainkey.list.test")
    assert by_method["dmarc"] == MailVerdict(
        "dmarc", "fail", "bank.test", "no aligned domain; policy reject", "v=DMARC1; p=reject", "_dmarc.bank.test"
    )


async def test_forged_mail_goes_to_the_junk_folder_and_is_never_forwarded(dns: FakeDns) -> None:
    reject = await stored(dns, BODY)
    assert (reject.stamp.folder, reject.stamp.flags, reject.stamp.dmarc_failed) == ("\\Junk", ["$Junk"], True)
    quarantine = await stored(dns, BODY.replace(b"bank.test", b"shop.test"))
    assert (quarantine.stamp.folder, quarantine.stamp.dmarc_failed) == ("\\Junk", False)
    none = await stored(dns, BODY.replace(b"bank.test", b"club.test"))
    assert (told(none)["dmarc"], none.stamp.folder) == ("fail", "")


@pytest.mark.parametrize(
    "settings",
    [{"dmarc_reject": "refuse"}, {"dmarc_domains": ("bank.test=refuse", "test=none")}],
)
async def test_by_setting_it_is_refused_with_the_domain(dns: FakeDns, settings: dict[str, Any]) -> None:
    answer, taken = await receive(dns, BODY, **settings)
    assert answer == b"550 5.7.1 This message fails the DMARC policy of bank.test\r\n"
    assert taken == []


async def test_the_choice_for_a_domain_holds_below_it(dns: FakeDns) -> None:
    taken = await stored(dns, BODY.replace(b"@bank", b"@www.bank"), dmarc_domains=("bank.test=none",))
    assert told(taken)["dmarc"] == "fail" and (taken.stamp.folder, taken.stamp.dmarc_failed) == ("", False)


async def test_mail_from_a_trusted_network_is_filed_as_other_mail(dns: FakeDns) -> None:
    taken = await stored(dns, BODY, dmarc_reject="refuse", trusted_forwarders=("192.0.2.0/24",))
    assert told(taken)["dmarc"] == "fail" and not taken.stamp.folder and not taken.stamp.dmarc_failed
    assert taken.stamp.verdicts[-1].reason.endswith("trusted forwarder 192.0.2.1")


async def test_the_seal_of_a_trusted_forwarder_counts_if_it_vouches(dns: FakeDns) -> None:
    questions = MailQuestions(Resolver([dns.server]))
    trusted = {"trusted_forwarders": ("list.test",)}
    good = await sealed(BODY, "list.test", questions.about(None), "pass")
    assert told(taken := await stored(dns, good, **trusted))["arc"] == "pass" and not taken.stamp.folder
    assert [each.result for each in results(taken).results if each.method == "arc"] == ["pass"]
    assert (await stored(dns, good)).stamp.folder == "\\Junk"
    failed = await sealed(BODY, "list.test", questions.about(None), "fail")
    changed = good.replace(b"Hello.", b"Hallo.")
    for message in (failed, changed, await sealed(good, "shop.test", questions.about(None), "pass")):
        assert (await stored(dns, message, **trusted)).stamp.folder == "\\Junk"


async def test_a_seal_that_leaves_a_part_of_the_body_unsigned_vouches_for_nothing(dns: FakeDns) -> None:
    trusted = {"trusted_forwarders": ("list.test",)}
    resolver = MailQuestions(Resolver([dns.server])).about(None)
    whole = await sealed(BODY, "list.test", resolver, "pass", selector="s1; l=8")
    assert not (await stored(dns, whole, **trusted)).stamp.folder, "l= covers all of it"
    taken = await stored(dns, whole + b"Pay me.\r\n", **trusted)
    (arc,) = [each for each in taken.stamp.verdicts if each.method == "arc"]
    assert (arc.result, arc.reason, taken.stamp.folder) == ("pass", "a part of the body is not signed", "\\Junk")


@pytest.mark.parametrize("names", [(b"from", b"to", b"subject"), (b"to", b"subject")])
async def test_a_from_that_a_trusted_seal_does_not_cover_is_judged(dns: FakeDns, names: tuple[bytes, ...]) -> None:
    """Whoever has received a sealed message could put another author in front of it."""
    trusted = {"trusted_forwarders": ("list.test",)}
    own = BODY.replace(b"bank.test", b"club.test")
    good = await sealed(own, "list.test", MailQuestions(Resolver([dns.server])).about(None), "pass", names=names)
    changed = b"From: Ann <ann@bank.test>\r\n" + (
        good if b"from" in names else good.replace(b"From: Ann", b"X-From: Ann")
    )
    taken = await stored(dns, changed, **trusted)
    assert told(taken)["arc"] == "pass" and taken.stamp.folder == "\\Junk"


async def test_trouble_of_the_dns_files_the_message_unless_it_might_be_refused(dns: FakeDns) -> None:
    unknown = BODY.replace(b"bank.test", b"broken.test")
    taken = await stored(dns, unknown)
    assert told(taken)["dmarc"] == "temperror" and not taken.stamp.folder
    doubtful = signed(BODY.replace(b"bank.test", b"slow.test"), "slow.test")
    assert told(await stored(dns, doubtful))["dmarc"] == "temperror"
    for message, settings in (
        (unknown, {"dmarc_reject": "refuse"}),
        (unknown, {"dmarc_domains": ("broken.test=refuse",)}),
        (doubtful, {"dmarc_reject": "refuse"}),
    ):
        answer, _ = await receive(dns, message, **settings)
        assert answer == b"451 4.4.3 The domain in From cannot be looked up right now\r\n"
    assert told(await stored(dns, doubtful, dmarc_quarantine="refuse"))["dmarc"] == "temperror"


@pytest.mark.parametrize(
    ("field", "folder"),
    [
        (b"From: a@club.test, b@bank.test", "\\Junk"),
        (b"From: a@club.test\r\nFrom: b@bank.test", "\\Junk"),
        (b"From: a@one.test, b@two.test, c@three.test, d@four.test, e@bank.test", "\\Junk"),
        (b"From: <ann@bank.test> (", "\\Junk"),
        (b"From: J\xfcrgen <j@club.test>", ""),
        (b"X-Nothing: 1", ""),
        (b"From: nobody", ""),
    ],
)
async def test_several_or_strange_authors_hide_no_forgery(dns: FakeDns, field: bytes, folder: str) -> None:
    taken = await stored(dns, BODY.replace(b"From: Ann <ann@bank.test>", field))
    assert taken.stamp.folder == folder, taken.stamp.verdicts
    results(taken)


async def test_our_fields_of_others_are_removed_and_only_those(dns: FakeDns) -> None:
    kept = (
        b"Authentication-Results: elsewhere.test; spf=pass\r\nReceived: from a by here.test; x\r\n"
        b"Delivered-To: other@here.test\r\nX-Spam: no\r\n"
    )
    forged = (
        b"Authentication-Results: HERE.test; dmarc=pass\r\n\theader.from=bank.test\r\nX-Postrider-Anything: 1\r\n"
        b"authentication-results : (x) here.test 1; none\r\n"
    )
    taken = await stored(dns, forged + kept + BODY)
    assert taken.body.endswith(b"\r\n" + kept + BODY) and b"HERE" not in taken.body
    services = Services()
    services.relay = True
    await send(forged + kept + BODY + b".\r\n", context(services), sender=b"<u@here.test>")
    assert kept + BODY in services.taken[0].body and b"HERE" not in services.taken[0].body


async def test_a_signature_over_a_field_that_is_removed_passes(dns: FakeDns) -> None:
    message = signed(b"Authentication-Results: here.test; none\r\n" + BODY, "bank.test")
    assert told(await stored(dns, message))["dmarc"] == "pass"


async def test_mail_of_a_client_with_a_right_to_relay_is_not_inspected(dns: FakeDns) -> None:
    services = Services()
    services.relay = True
    shared = context(services, resolver=Resolver([dns.server]))
    await send(BODY + b".\r\n", shared, sender=b"<u@here.test>")
    assert services.taken[0].stamp.verdicts == [] and services.taken[0].body.startswith(b"Received: ")


async def test_a_bounce_is_judged_by_its_helo(dns: FakeDns) -> None:
    dns.set("client.test", A=["192.0.2.1"], TXT=['"v=spf1 a -all"'])
    taken = await stored(dns, BODY, sender="")
    assert taken.stamp.verdicts[0] == MailVerdict(
        "spf", "pass", "client.test", "HELO: a", "v=spf1 a -all", "client.test"
    )
    assert results(taken).results[0].smtp_helo == "client.test"


async def simulated(dns: FakeDns, header: str, **settings: Any) -> Step:
    """The last step of a simulation of mail from x@bank.test."""
    services = Services()
    shared = context(services, resolver=Resolver([dns.server]), **settings)
    case = Case(
        client="192.0.2.1", helo="client.test", mail_from="x@bank.test", recipients=["u@here.test"], header=header
    )
    client = SimulatedClient(PEER, shared, False)
    return (await SimulatedDialogue(client, case, Connections(Limits())).run()).steps[-1]


async def test_a_simulation_gives_the_verdicts_of_live_mail_and_counts_nothing(dns: FakeDns) -> None:
    def counted() -> dict[str, float]:
        return {
            f"{sample.name}{sample.labels}": sample.value
            for metric in REGISTRY.collect()
            for sample in metric.samples
            if "verdicts" in sample.name or "dmarc" in sample.name or "inspection" in sample.name
        }

    header = "From: ann@bank.test"
    message = f"{header}\r\n\r\n".encode()
    for settings in ({}, {"dmarc_reject": "refuse"}):
        before = counted()
        step = await simulated(dns, header, **settings)
        assert counted() == before
        answer, _ = await receive(dns, message, **settings)
        assert counted() != before
        assert step.reply[:3] == answer[:3].decode()
        rules = {each.rule: each for each in step.rules}
        assert rules["dmarc"].data["record"] == "v=DMARC1; p=reject"
        assert rules["dmarc_policy"].data == {"action": settings.get("dmarc_reject", "junk"), "domain": "bank.test"}
        assert rules["dmarc_policy"].refused == bool(settings)


async def test_a_large_message_is_examined_beside_the_loop(dns: FakeDns) -> None:
    ticks = 0

    async def ticking() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    large = signed(BODY + (b"y" * 76 + b"\r\n") * 100_000, "bank.test")
    wide = (
        b"Authentication-Results: here.test; none\r\n"
        + (b"a: " + b"b  c " * 90 + b"\r\n") * 1_900
        + signed(BODY, "bank.test")
    )
    for message in (large, wide):
        ticks = 0
        beside = asyncio.ensure_future(ticking())
        taken = await stored(dns, message)
        beside.cancel()
        assert told(taken)["dkim"] == told(taken)["dmarc"] == "pass" and ticks > 3
    assert taken.body.endswith(b"\r\n" + message.partition(b"\r\n")[2])


async def test_what_others_write_is_cut_and_says_nothing_else(dns: FakeDns) -> None:
    dns.set("wide.test", MX=["10 mx.wide.test"], TXT=[quoted("v=spf1 " + "ip4:198.51.100.1 " * 200 + "-all")])
    dns.set("_dmarc.wide.test", TXT=[quoted("v=DMARC1; p=reject; x=" + "y" * 9000)])
    message = BODY.replace(b"bank.test", b"wide.test")
    services = Services()
    shared = context(services, resolver=Resolver([dns.server]))
    name = b"x\xff" * 500 + b'"; dmarc=pass'
    await send(message + b".\r\n", shared, sender=b'<"a;b"@wide.test>', greeting=b"EHLO " + name + b"\r\n")
    (taken,) = services.taken
    assert max(len(getattr(each, name)) for each in taken.stamp.verdicts for name in each.__struct_fields__) == 600
    assert [(each.method, each.result) for each in results(taken).results if each.method == "dmarc"] == [
        ("dmarc", "fail")
    ]


async def test_names_with_odd_characters_are_asked_as_they_are(dns: FakeDns) -> None:
    dns.set("a=b+c.odd.test", A=["192.0.2.9"])
    assert (await MailQuestions(Resolver([dns.server])).about(None).ask("a=b+c.odd.test", "A")).records == (
        "192.0.2.9",
    )


@pytest.mark.parametrize(
    "settings",
    [{"trusted_forwarders": ("192.0.2.1/8",)}, {"trusted_forwarders": ("a b",)}, {"dmarc_domains": ("a.test",)}],
)
def test_malformed_choices_are_refused_at_the_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        DmarcPolicy(GatewaySettings(**settings))


async def test_a_forgery_that_would_only_be_forwarded_is_refused(dns: FakeDns) -> None:
    """Of a message with a local copy, queue-worker does not forward the other ones."""
    elsewhere = Target("x@far.test", via="fwd@here.test")
    refused = b"550 5.7.1 Mail that fails the DMARC policy of the domain in From is not forwarded"
    for recipients, expected in (([b"fwd@here.test"], refused), ([b"fwd@here.test", b"u@here.test"], b"250 ")):
        services = Services()
        services.answers = {"fwd@here.test": RecipientAnswer("accepted", [elsewhere])}
        shared = context(services, resolver=Resolver([dns.server], timeout=patient(1), lifetime=patient(1)))
        answer = await send(BODY + b".\r\n", shared, sender=b"<x@bank.test>", recipients=recipients)
        assert answer.startswith(expected)


@pytest.mark.parametrize(("chosen", "relay"), [(True, True), (True, False), (False, True)])
async def test_bcc_is_removed_from_submissions_by_setting(chosen: bool, relay: bool) -> None:
    message = BODY.replace(
        b"\r\n\r\n", b"\r\nbCC : a@far.test,\r\n b@far.test\r\nResent-Bcc: c@far.test\r\nX-Bcc: x\r\n\r\nBcc: y\r\n", 1
    )
    services = Services()
    services.relay = relay
    assert (await send(message + b".\r\n", context(services, smtp_remove_bcc=chosen))).startswith(b"250 ")
    (taken,) = services.taken
    kept = taken.body[taken.body.index(b"From: ") :]
    if chosen and relay:
        message = BODY.replace(b"\r\n\r\n", b"\r\nX-Bcc: x\r\n\r\nBcc: y\r\n", 1)
    assert kept == message
