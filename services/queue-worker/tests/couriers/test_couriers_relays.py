"""Mail by a smart host: a real SMTP server that takes it only after AUTH over TLS (docs/decisions/0083)."""

import base64
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from queue_worker.couriers import Relay, opening
from queue_worker.models import Outcome

PASSWORD = "correct horse"


@dataclass
class SmartHost:
    """The server, and what it took."""

    relay: Relay
    ca_file: str
    address: str
    controller: Controller
    taken: list[tuple[Session, Envelope]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.taken.append((session, envelope))
        return "250 taken"


def _allowed(server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword) -> AuthResult:
    right = (given.login, given.password) == (b"anna@here.test", PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@pytest.fixture(params=["starttls", "implicit"])
def smart(request: pytest.FixtureRequest, outside: Any, tmp_path: Path) -> Iterator[SmartHost]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("smart.test").configure_cert(context)
    address = outside.address()
    with socket.create_server((address, 0)) as probe:
        port = probe.getsockname()[1]
    outside.dns.set("smart.test", A=[address])
    starttls = request.param == "starttls"
    host = SmartHost(
        Relay("smart.test", port, request.param, "anna@here.test", PASSWORD, "127.88.0.1", "out.here.test"),
        str(tmp_path / "ca.pem"),
        address,
        None,  # type: ignore[arg-type]
    )
    host.controller = Controller(
        host,
        hostname=address,
        port=port,
        auth_required=True,
        authenticator=_allowed,
        auth_require_tls=starttls,
        **({"tls_context": context, "require_starttls": True} if starttls else {"ssl_context": context}),
    )
    host.controller.start()
    yield host
    host.controller.stop()


async def sent(outside: Any, smart: SmartHost, relay: Relay | None = None, **changes: Any) -> Any:
    """The result of one message to b@far.test by the smart host."""
    courier = outside.courier(**{"ca_file": smart.ca_file, **changes})
    before = len(outside.results)
    await courier.deliver("far.test", [outside.message("b@far.test")], outside.report, relay or smart.relay)
    (result,) = outside.results[before:]
    assert PASSWORD not in result.text and base64.b64encode(PASSWORD.encode()).decode() not in result.text
    return result


async def test_mail_goes_by_the_smart_host_after_auth_over_verified_tls(outside: Any, smart: SmartHost) -> None:
    result = await sent(outside, smart)
    assert (result.outcome, result.remote_host, result.tls) == (Outcome.delivered, "smart.test", "TLSv1.3"), result
    address, tls, _, verified = result.connection.split(" ", 3)
    assert (address, tls, verified) == (smart.address, "TLSv1.3", "verified")
    ((session, envelope),) = smart.taken
    assert envelope.rcpt_tos == ["b@far.test"] and session.authenticated
    assert (session.peer[0], session.host_name) == ("127.88.0.1", "out.here.test")


async def test_what_an_operator_can_repair_defers(outside: Any, smart: SmartHost) -> None:
    wrong = await sent(outside, smart, replace(smart.relay, password="no"))
    assert (wrong.outcome, wrong.status) == (Outcome.deferred, "4.7.8") and ">>> AUTH PLAIN" in wrong.text
    stranger = await sent(outside, smart, ca_file="")
    assert (stranger.outcome, stranger.status) == (Outcome.deferred, "4.7.5") and "certificate" in stranger.text.lower()
    outside.dns.set("other.test", A=[smart.address])
    named = await sent(outside, smart, replace(smart.relay, host="other.test"))
    assert (named.outcome, named.status) == (Outcome.deferred, "4.7.5")
    assert smart.taken == []


async def test_no_password_goes_where_nothing_is_verified(outside: Any, far: Any) -> None:
    outside.dns.set("plain.test", A=[far.address])
    far.behaviour.extensions = ["AUTH PLAIN LOGIN"]
    for tls in ("starttls", "opportunistic"):
        relay = Relay("plain.test", far.port, tls, "anna@here.test", PASSWORD)
        courier = outside.courier()
        await courier.deliver("far.test", [outside.message("b@far.test")], outside.report, relay)
        assert (outside.results[-1].outcome, outside.results[-1].status) == (Outcome.deferred, "4.7.5")
    assert far.messages == []


async def test_a_smart_host_that_is_away_or_ourselves_defers_and_few_conversations_begin(outside: Any) -> None:
    async def result(relay: Relay, **changes: Any) -> Any:
        courier = outside.courier(**changes)
        await courier.deliver("far.test", [outside.message("b@far.test")], outside.report, relay)
        return outside.results[-1].outcome, outside.results[-1].status

    address = outside.address()
    outside.dns.set("away.test", A=[address])
    away = Relay("away.test", outside.port)
    assert await result(away) == (Outcome.deferred, "4.4.1")
    assert await result(Relay("nowhere.test")) == (Outcome.deferred, "4.4.4")
    assert await result(away, own_listeners=frozenset({(address, outside.port)})) == (Outcome.deferred, "4.4.6")
    assert await result(Relay("mx.here.test")) == (Outcome.deferred, "4.4.4")
    assert await result(away, allow_networks=()) == (Outcome.deferred, "4.4.4")
    assert await result(away, relay_conversations=0) == (Outcome.postponed, "")


async def test_a_source_address_and_a_helo_name_without_a_smart_host(outside: Any, far: Any) -> None:
    courier = outside.courier()
    relay = Relay(source_address="127.88.0.2", helo="two.here.test", route="route sender here.test")
    await courier.deliver("far.test", [outside.message("b@far.test")], outside.report, relay)
    assert outside.results[-1].outcome is Outcome.delivered and "EHLO two.here.test" in far.commands
    how = f"{far.address} without TLS from 127.88.0.2 as two.here.test by route sender here.test"
    assert outside.results[-1].connection == how, "the trace says which source it left by"
    await courier.deliver("far.test", [outside.message("c@far.test")], outside.report)
    assert [got.connection for got in far.messages] == [1, 2], "a kept connection serves its own route only"
    other = Relay(source_address="2001:db8::1")
    await courier.deliver("far.test", [outside.message("b@far.test")], outside.report, other)
    assert outside.results[-1].status == "4.4.4"


async def test_a_source_that_the_machine_does_not_have_defers_with_a_text_for_its_operator(
    outside: Any, far: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(opening, "_said", {})
    monkeypatch.setattr(opening.log, "error", lambda event, **facts: said.append({"event": event, **facts}))
    courier = outside.courier()
    relay = Relay(source_address="198.51.100.7", helo="out.here.test")
    for _ in range(2):
        await courier.deliver("far.test", [outside.message("b@far.test")], outside.report, relay)
        result = outside.results[-1]
        assert (result.outcome, result.status) == (Outcome.deferred, "4.3.5")
        assert result.text == "The source address 198.51.100.7 is not an address of this machine. (#4.3.5)"
    assert far.commands == []
    assert [(each["event"], each["address"]) for each in said] == [("source_address_absent", "198.51.100.7")]


async def test_a_source_of_each_family_serves_the_hosts_of_its_own(outside: Any, far: Any) -> None:
    relay = Relay(source_address="2001:db8::1", second_source="127.88.0.3", helo="out.here.test")
    assert (relay.source_for("127.0.0.1"), relay.source_for("::1")) == ("127.88.0.3", "2001:db8::1")
    await outside.courier().deliver("far.test", [outside.message("b@far.test")], outside.report, relay)
    assert outside.results[-1].outcome is Outcome.delivered


async def test_ipv4_only_leaves_out_the_other_addresses(outside: Any, far: Any) -> None:
    courier = outside.courier(ipv4_only=True, allow_networks=("127.0.0.0/8", "::1/128"))
    outside.dns.set("mx10.far.test", A=[far.address], AAAA=["::1"])
    assert {each.address for each in await courier.hosts("far.test")} == {far.address}
    outside.dns.set("six.test", MX=["10 mx.six.test"])
    outside.dns.set("mx.six.test", AAAA=["::1"])
    await courier.deliver("six.test", [outside.message("b@six.test")], outside.report)
    assert (outside.results[-1].outcome, outside.results[-1].status) == (Outcome.deferred, "4.4.4")
    assert "has an IPv4 address" in outside.results[-1].text


def test_a_password_is_not_in_what_is_printed() -> None:
    assert PASSWORD not in repr(Relay("smart.test", 587, "starttls", "anna", PASSWORD))
