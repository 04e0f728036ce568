"""Simulated routes: the hosts of live look-ups, the retry plan of live mail, pauses; nothing is stored."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mailkit.errors import BadRequest
from mailkit.ids import new_id
from queue_worker.couriers.targets import HostAddress, NoTarget
from queue_worker.models import Outcome
from queue_worker.operators import simulate
from queue_worker.operators.simulate import MOST_ATTEMPTS, plan
from queue_worker.tls.policy import TlsPolicy

HOSTS = [HostAddress("mx1.far.test", "192.0.2.1"), HostAddress("mx2.far.test", "2001:db8::1")]


async def hosts(domain: str, relay: object = None) -> list[HostAddress]:
    if domain == "none.test":
        raise NoTarget(Outcome.failed, "5.1.2", "Sorry, I couldn't find any host named none.test. (#5.1.2)")
    return HOSTS


async def test_routes_with_their_hosts_policy_pauses_and_times(world, admin, monkeypatch):
    monkeypatch.setattr(world.sink, "hosts", hosts)
    monkeypatch.setattr(type(world.sink), "port", 25)
    account = str(new_id())
    await admin.pause("destination", "far.test", reason="they asked")
    far, none, local = await admin.simulate_routes(
        account,
        [
            {"address": "b@Far.test", "mailbox": None},
            {"address": "x@none.test", "mailbox": None},
            {"address": "u@here.test", "mailbox": str(new_id())},
            {"address": "c@far.test", "mailbox": None},
        ],
    )
    assert (far["kind"], far["destination"], far["recipients"]) == ("remote", "far.test", ["b@Far.test", "c@far.test"])
    assert [(host["host"], host["address"]) for host in far["hosts"]] == [(h.host, h.address) for h in HOSTS]
    assert (far["port"], far["tls"].partition(":")[0], far["outcome"]) == (25, "opportunistic", None)
    assert [(pause["kind"], pause["reason"]) for pause in far["pauses"]] == [("destination", "they asked")]
    assert (none["outcome"], none["status"], len(none["attempts"])) == ("failed", "5.1.2", 1)
    assert (local["kind"], local["hosts"], local["tls"], local["pauses"]) == ("local", [], None, [])
    assert await world.rows("message") == []
    with pytest.raises(BadRequest):
        await admin.simulate_routes(None, [])


async def test_the_plan_is_that_of_a_message_that_is_deferred(world, admin, monkeypatch):
    monkeypatch.setattr(world.sink, "hosts", hosts)
    monkeypatch.setattr(type(world.sink), "port", 25)
    (route,) = await admin.simulate_routes(None, [{"address": "b@far.test"}])
    planned = [datetime.fromisoformat(at) for at in route["attempts"]]
    queue_id = await world.deferred("b@far.test")
    real = [world.clock.now()]
    for _ in range(3):
        (recipient,) = (await admin.show_message(queue_id))["recipients"]
        real.append(datetime.fromisoformat(recipient["next_attempt"]))
        world.pass_time((real[-1] - world.clock.now()).total_seconds())
        await world.work()
    assert planned[:4] == real
    assert planned[-1] == datetime.fromisoformat(route["expires"])


async def test_many_domains_are_looked_up_at_once(world, admin, monkeypatch):
    under_way: list[int] = [0, 0]

    async def noted(domain: str, relay: object = None) -> list[HostAddress]:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await asyncio.sleep(0)
        under_way[0] -= 1
        return HOSTS

    monkeypatch.setattr(world.sink, "hosts", noted)
    monkeypatch.setattr(type(world.sink), "port", 25)
    routes = await admin.simulate_routes(None, [{"address": f"b@d{n}.test"} for n in range(1000)])
    assert {len(route["hosts"]) for route in routes} == {2} and under_way == [0, simulate.AT_ONCE]


async def test_a_domain_without_an_answer_ends_at_the_deadline_of_all(world, admin, monkeypatch):
    async def silent(domain: str, relay: object = None) -> list[HostAddress]:
        await asyncio.get_running_loop().create_future()
        return HOSTS

    monkeypatch.setattr(world.sink, "hosts", silent)
    monkeypatch.setattr(type(world.sink), "port", 25)
    monkeypatch.setattr(simulate, "LOOK_SECONDS", 0.1)
    many = [{"address": f"b@d{n}.test"} for n in range(2 * simulate.AT_ONCE)]
    for route in await admin.simulate_routes(None, many):
        assert (route["outcome"], route["status"], route["hosts"]) == ("deferred", "4.4.3", [])


def test_a_plan_is_bounded():
    now = datetime(2026, 3, 1)
    assert len(plan(now, now + timedelta(days=400), 1)) == MOST_ATTEMPTS


async def test_the_tls_policy_of_each_host_and_the_record_that_asks_for_it(world, admin, monkeypatch):
    policies = (
        TlsPolicy("mta-sts", "policy 1 of far.test", verifies=True),
        TlsPolicy("dane", "TLSA _25._tcp.mx2.far.test"),
    )

    async def found(domain: str, relay: object = None) -> list[HostAddress]:
        return [replace(host, policy=policy) for host, policy in zip(HOSTS, policies, strict=True)]

    monkeypatch.setattr(world.sink, "hosts", found)
    monkeypatch.setattr(type(world.sink), "port", 25)
    (route,) = await admin.simulate_routes(None, [{"address": "b@far.test"}])
    first, second = (host["tls"] for host in route["hosts"])
    assert (
        first == route["tls"] and first.startswith("mta-sts: required: ") and first.endswith("; policy 1 of far.test")
    )
    assert second.startswith("dane: ") and second.endswith("; TLSA _25._tcp.mx2.far.test")


async def test_the_pool_that_it_leaves_by_and_the_operator_that_shapes_it(world, admin, monkeypatch):
    async def found(domain: str, relay: object = None) -> list[HostAddress]:
        name = "mx.smart.test" if domain == "other.test" else "aspmx.l.google.com"
        return [HostAddress(name, "192.0.2.1")]

    monkeypatch.setattr(world.sink, "hosts", found)
    monkeypatch.setattr(type(world.sink), "port", 25)
    pool = [
        {"helo": "out1.here.test", "addresses": ["198.51.100.1"]},
        {"helo": "out2.here.test", "addresses": ["198.51.100.2", "2001:db8::2"]},
    ]
    await admin.set_route("sender", "here.test", pool=pool)
    await admin.set_route("forwards", None, pool=pool[:1])
    await admin.set_route("destination", "other.test", host="smart.test")
    await admin.parts.relays.refresh()
    shaping = admin.parts.shaping
    shaping.replied("google", "421 4.7.28 too much", asyncio.get_running_loop().time())
    targets = [{"address": "b@far.test"}, {"address": "c@far.test", "via": "l@here.test"}, {"address": "d@other.test"}]
    own, forward, other = await admin.simulate_routes(None, targets, sender="a@here.test")
    assert (own["route"], own["sources"]) == ("sender here.test", pool)
    assert (forward["recipients"], forward["route"], forward["sources"]) == (["c@far.test"], "forwards", pool[:1])
    assert (own["shaping"]["name"], own["shaping"]["conversations_max"]) == ("google", 20)
    assert own["shaping"]["reply"] == "421 4.7.28 too much" and own["shaping"]["paused_until"]
    assert (other["route"], other["sources"]) == ("destination other.test", [{"helo": None, "addresses": []}])
    assert other["shaping"] is None, "mail by a smart host is not counted"
    assert shaping.of("far.test") is None, "nothing is noted"
    (none,) = await admin.simulate_routes(None, targets[:1], sender="a@elsewhere.test")
    assert (none["route"], none["sources"]) == (None, [])
