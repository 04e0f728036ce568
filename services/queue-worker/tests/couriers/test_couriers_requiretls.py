"""REQUIRETLS and TLS-Required: No (RFC 8689): what the sender asks for overrides what the recipient's domain does."""

from typing import Any

import pytest

from mailkit.testing.sink import Sink
from queue_worker.couriers import Relay
from queue_worker.models import Outcome

POLICY = "version: STSv1\nmode: {}\nmx: {}\nmax_age: 86400\n"


@pytest.fixture
def offering(far: Sink) -> Sink:
    far.behaviour.extensions.append("REQUIRETLS")
    return far


@pytest.mark.parametrize("mode", ["enforce", "testing"])
async def test_it_is_passed_on_to_a_verified_host_that_offers_it(publisher: Any, offering: Sink, mode: str) -> None:
    publisher.publish(POLICY.format(mode, "*.far.test"))
    publisher.certify(offering, "mx10.far.test")
    assert (await publisher.result(tls="required")).outcome is Outcome.delivered
    (message,) = offering.messages
    assert message.tls and "REQUIRETLS" in message.parameters.split()
    await publisher.result()
    assert "REQUIRETLS" not in offering.messages[-1].parameters


async def test_mx_records_that_dnssec_proves_serve_as_well(publisher: Any, offering: Sink) -> None:
    publisher.outside.dns.secure.add("far.test")
    publisher.certify(offering, "mx10.far.test")
    result = await publisher.result(tls="required")
    assert result.outcome is Outcome.delivered
    assert result.connection.endswith(" verified (requiretls: MX of far.test, proven by DNSSEC)")


@pytest.mark.parametrize("case", ["not offered", "no policy", "not named in testing mode"])
async def test_a_message_that_no_host_may_have_is_returned(publisher: Any, far: Sink, case: str) -> None:
    if case != "no policy":
        publisher.publish(POLICY.format("testing", "mx10.far.test" if case == "not offered" else "mx.other.test"))
    publisher.certify(far, "mx10.far.test")
    if case != "not offered":
        far.behaviour.extensions.append("REQUIRETLS")
    result = await publisher.result(tls="required")
    assert (result.outcome, result.status, far.messages) == (Outcome.failed, "5.7.30", []), result
    assert result.text.startswith("REQUIRETLS support required: the sender asked for it, and ")
    assert (await publisher.result()).outcome is Outcome.delivered


@pytest.mark.parametrize("offered", [True, False])
async def test_a_bounce_is_sent_without_it_rather_than_lost(publisher: Any, far: Sink, offered: bool) -> None:
    publisher.certify(far, "mx10.far.test")
    if offered:
        far.behaviour.extensions.append("REQUIRETLS")
    assert (await publisher.result(tls="preferred")).outcome is Outcome.delivered
    assert ("REQUIRETLS" in far.messages[0].parameters.split()) == offered


async def test_one_host_offers_it(publisher: Any, far: Sink) -> None:
    publisher.publish(POLICY.format("enforce", "*.far.test"))
    publisher.certify(far, "mx10.far.test")
    second = publisher.outside.remote("far.test", preference=20)
    second.behaviour.extensions.append("REQUIRETLS")
    publisher.certify(second, "mx20.far.test")
    assert (await publisher.result(tls="required")).remote_host == "mx20.far.test"
    second.close()
    result = await publisher.result(tls="required")
    assert result.outcome is Outcome.deferred  # the host that offered it may come back


@pytest.mark.parametrize("case", ["certificate", "plain"])
async def test_tls_that_fails_is_deferred(publisher: Any, offering: Sink, case: str) -> None:
    publisher.publish(POLICY.format("testing", "*.far.test"))
    offering.behaviour.starttls = case == "certificate"
    result = await publisher.result(tls="required")
    assert (result.outcome, result.status, offering.messages) == (Outcome.deferred, "4.7.5", [])


async def test_a_smart_host_has_to_be_verified_too(publisher: Any, offering: Sink) -> None:
    relay = Relay("mx10.far.test", publisher.outside.port, "opportunistic")
    courier = publisher.courier()
    message = publisher.outside.message("b@far.test", tls="required")
    await courier.deliver("far.test", [message], publisher.outside.report, relay)
    assert publisher.outside.results[-1].status == "5.7.30"


async def test_tls_required_no_leaves_policies_aside_and_not_s11(publisher: Any, far: Sink) -> None:
    publisher.publish(POLICY.format("enforce", "mx.other.test"))
    far.behaviour.starttls = True
    assert (await publisher.result(tls="optional")).outcome is Outcome.delivered
    far.behaviour.break_tls = True
    assert (await publisher.result(tls="optional")).status == "4.7.5"
