"""Where a domain's mail goes, looked up by real queries: MX, addresses, and every reason to go nowhere."""

import asyncio
import ipaddress
from ipaddress import ip_address

import pytest

from mailkit.net.dns import Existence, NoRecord, NoSuchName, Resolver, TemporaryDnsError
from mailkit.testing.speed import patient
from queue_worker.couriers import CourierSettings
from queue_worker.couriers.public import is_public
from queue_worker.couriers.targets import NoTarget, Targets
from queue_worker.models import Outcome


@pytest.fixture
def find(dns):
    """Addresses by (host, address), or the NoTarget, for a domain."""

    async def of(domain, **settings):
        own = {"helo_name": "mx.here.test", "allow_networks": ("127.0.0.0/8",), **settings}
        targets = Targets(CourierSettings(**own), Resolver([dns.server], timeout=patient(0.5), lifetime=patient(0.8)))
        try:
            return [(target.host, target.address) for target in await targets.of(domain)]
        except NoTarget as none:
            return none

    return of


async def test_by_preference_and_shuffled_within(dns, find):
    dns.set("far.test", MX=["20 c.far.test", "10 a.far.test", "10 b.far.test"])
    for n, host in enumerate("abc"):
        dns.set(f"{host}.far.test", A=[f"127.0.1.{n + 1}"])
    orders = {tuple(host[0] for host, _ in await find("far.test")) for _ in range(40)}
    assert orders == {("a", "b", "c"), ("b", "a", "c")}


async def test_without_mx_the_address_itself(dns, find):
    dns.set("bare.test", A=["127.0.1.1"], AAAA=["2600::1"])
    assert await find("bare.test") == [("bare.test", "2600::1"), ("bare.test", "127.0.1.1")]


async def test_an_alias_is_followed(dns, find):
    dns.set("alias.test", CNAME=["real.test"])
    dns.set("real.test", MX=["10 mx.real.test"])
    dns.set("mx.real.test", A=["127.0.1.1"])
    assert await find("alias.test") == [("mx.real.test", "127.0.1.1")]


async def test_address_literals(find):
    assert await find("[127.0.1.9]") == [("[127.0.1.9]", "127.0.1.9")]
    assert await find("[IPv6:2600::9]") == [("[IPv6:2600::9]", "2600::9")]
    assert await find("[ipv6:2600::9]") == [("[ipv6:2600::9]", "2600::9")]  # the queue groups by lower case
    assert (await find("[10.0.0.1]")).outcome is Outcome.deferred
    assert (await find("[ipv6:fd00::1]")).status == "4.4.4" == (await find("[ipv6:nonsense]")).status
    assert await find("[ipv6:2001:db8::1]", allow_networks=("2001:db8::/32",))


@pytest.mark.parametrize(
    ("domain", "outcome", "status", "text"),
    [
        ("nowhere.test", Outcome.failed, "5.1.2", "Sorry, I couldn't find any host named nowhere.test. (#5.1.2)"),
        ("null.test", Outcome.failed, "5.1.10", "The domain null.test does not accept mail. (#5.1.10)"),
        (
            "hollow.test",
            Outcome.failed,
            "5.4.4",
            "Name service error for mx.hollow.test: Host found but no data record of requested type",
        ),
        (
            "gone.test",
            Outcome.failed,
            "5.4.4",
            "Name service error for mx.gone.test: Host found but no data record of requested type",
        ),
        (
            "empty.test",
            Outcome.failed,
            "5.4.4",
            "Name service error for empty.test: Host found but no data record of requested type",
        ),
        ("sick.test", Outcome.deferred, "4.4.3", "The mail hosts of sick.test cannot be looked up right now. (#4.4.3)"),
        ("slow.test", Outcome.deferred, "4.4.3", "The mail hosts of slow.test cannot be looked up right now. (#4.4.3)"),
        ("half.test", Outcome.deferred, "4.4.3", "The address of mx.half.test cannot be looked up right now. (#4.4.3)"),
        (
            "mixed.test",
            Outcome.deferred,
            "4.4.3",
            "The address of mx.half.test cannot be looked up right now. (#4.4.3)",
        ),
    ],
)
async def test_nowhere_to_go(dns, find, domain, outcome, status, text):
    dns.set("null.test", MX=["0 ."])
    dns.set("hollow.test", MX=["10 mx.hollow.test"])
    dns.set("mx.hollow.test", TXT=['"no address"'])
    dns.set("gone.test", MX=["10 mx.gone.test"])
    dns.set("empty.test", TXT=['"nothing"'])
    dns.fail("sick.test", "SERVFAIL")
    dns.fail("slow.test", "TIMEOUT")
    dns.set("half.test", MX=["10 mx.half.test"])
    dns.fail("mx.half.test", "REFUSED")
    dns.set("mixed.test", MX=["10 mx.hollow.test", "20 mx.half.test"])
    none = await find(domain)
    assert (none.outcome, none.status, none.text) == (outcome, status, text)


async def test_a_host_without_address_is_passed_over_when_another_has_one(dns, find):
    dns.set("far.test", MX=["10 hollow.far.test", "20 mx.far.test"])
    dns.set("hollow.far.test", TXT=['"no address"'])
    dns.set("mx.far.test", A=["127.0.1.1"])
    assert await find("far.test") == [("mx.far.test", "127.0.1.1")]


async def test_ourselves(dns, find):
    dns.set("loop.test", MX=["10 mx.here.test", "20 other.test"])
    dns.set("mx.here.test", A=["127.0.1.1"])
    dns.set("other.test", A=["127.0.1.2"])
    assert (await find("loop.test")).status == "5.4.6"
    dns.set("backup.test", MX=["10 other.test", "20 mx.here.test", "30 third.test"])
    dns.set("third.test", A=["127.0.1.3"])
    assert await find("backup.test") == [("other.test", "127.0.1.2")]
    dns.set("direct.test", A=["127.0.1.7"])
    assert (await find("direct.test", port=2525, own_listeners=frozenset({("127.0.1.7", 2525)}))).status == "5.4.6"
    assert await find("direct.test", port=25, own_listeners=frozenset({("127.0.1.7", 2525)}))
    assert (await find("direct.test", own_names=frozenset({"Direct.test."}))).outcome is Outcome.failed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1::808:808",
        "64:ff9b:1:7f00:0:100::",
        "64:ff9b:1:0:7f:0:100:0",
        "2002:a00:1::1",
        "2001:0:7f00:1::1",
        "2001:0:808:808::80ff:fffe",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:169.254.169.254",
        "3fff::1",
        "5f00::1",
        "100::1",
        "100:0:0:1::1",
        "2001:2::1",
        "2001:5::1",
        "fec0::1",
        "4000::1",
        "192.0.0.9",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "240.0.0.1",
    ],
)
async def test_addresses_that_are_not_public_are_never_connected_to(dns, find, address):
    dns.set("far.test", MX=["10 mx.far.test"])
    kind = "AAAA" if ":" in address else "A"
    dns.set("mx.far.test", **{kind: [address]})
    none = await find("far.test", allow_networks=())
    assert (none.outcome, none.status) == (Outcome.deferred, "4.4.4")
    if ":" not in address:
        assert await find("far.test", allow_networks=("0.0.0.0/0",)) == [("mx.far.test", address)]


async def test_the_clusters_own_networks_are_not_connected_to_unless_named(dns, find):
    dns.set("far.test", A=["8.8.8.8"])
    assert await find("far.test", allow_networks=()) == [("far.test", "8.8.8.8")]
    assert (await find("far.test", allow_networks=(), deny_networks=("8.8.0.0/16",))).status == "4.4.4"
    assert await find("far.test", allow_networks=("8.8.8.0/24",), deny_networks=("8.8.0.0/16",))


@pytest.mark.parametrize(
    "form",
    ["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:0:808:808::fefe:fefe", "2001:0:101:101::f7f7:f7f7"],
)
def test_what_is_denied_is_denied_in_every_form(form):
    assert is_public(ip_address(form))

    def may(**networks):
        return Targets(CourierSettings("mx.here.test", **networks), Resolver()).may_connect(form)

    assert may() and may(deny_networks=("9.9.9.0/24", "2600::/16"))
    assert not may(deny_networks=("8.8.8.0/24",))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "192.31.196.1",
        "192.175.48.1",
        "223.255.255.254",
        "2600::1",
        "2a00::1",
        "2001:4860::1",
        "2001:200::1",
        "2001:4:112::1",
        "2001:1::1",
    ],
)
def test_addresses_of_the_public_internet(address):
    assert is_public(ip_address(address))


def test_the_table_holds_all_that_this_python_knows_to_be_special():
    """Python's tables differ between versions; none may know a special network that ours calls public."""
    known = [
        getattr(constants, name)
        for constants in (ipaddress._IPv4Constants, ipaddress._IPv6Constants)
        for name in ("_private_networks", "_linklocal_network", "_multicast_network", "_loopback_network")
        if hasattr(constants, name)
    ]
    networks = [network for entry in known for network in (entry if isinstance(entry, list) else [entry])]
    assert len(networks) > 20
    for network in networks:
        assert not is_public(network.network_address) or network == ipaddress.IPv6Network("::ffff:0:0/96"), network
        assert not is_public(network.broadcast_address) or network.prefixlen in (23, 96), network


async def test_many_addresses_have_an_end(dns, find):
    dns.set("far.test", A=[f"127.0.2.{n}" for n in range(1, 60)])
    assert len(await find("far.test")) == 20


# -- the resolver below it


async def test_answers_are_remembered_and_asked_for_once(dns):
    now = [0.0]
    resolver = Resolver([dns.server], clock=lambda: now[0])
    dns.set("far.test", A=["127.0.1.1"])
    assert set(await asyncio.gather(*(resolver.a("Far.Test.") for _ in range(50)))) == {("127.0.1.1",)}
    assert dns.asked("far.test", "A") == 1
    now[0] = 59.0
    await resolver.a("far.test")
    assert dns.asked("far.test", "A") == 1
    dns.set("far.test", A=["127.0.1.2"])
    now[0] = 61.0
    assert await resolver.a("far.test") == ("127.0.1.2",)


async def test_no_is_remembered_too_and_trouble_is_not(dns):
    resolver = Resolver([dns.server], clock=lambda: 0.0)
    for _ in range(3):
        with pytest.raises(NoSuchName):
            await resolver.a("nowhere.test")
    assert dns.asked("nowhere.test", "A") == 1
    dns.fail("sick.test", "SERVFAIL")
    for _ in range(2):
        with pytest.raises(TemporaryDnsError):
            await resolver.a("sick.test")
    assert dns.asked("sick.test", "A") >= 2


async def test_one_asker_giving_up_takes_nothing_from_the_others(dns):
    resolver = Resolver([dns.server])
    dns.set("far.test", A=["127.0.1.1"])
    first, second = (asyncio.create_task(resolver.a("far.test")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ("127.0.1.1",)


async def test_one_family_is_enough_when_the_other_is_in_trouble(dns):
    dns.set("v4.test", A=["127.0.1.1"])
    dns.set("v6.test", AAAA=["2600::1"])
    resolver = Resolver([dns.server])
    assert await resolver.addresses("v4.test") == ("127.0.1.1",)
    assert await resolver.addresses("v6.test") == ("2600::1",)
    dns.set("none.test", MX=["10 x.test"])
    with pytest.raises(NoRecord):
        await resolver.addresses("none.test")


async def test_answers_too_long_for_a_datagram_come_over_tcp(dns):
    dns.set("long.test", TXT=[f'"{n:03}{"x" * 200}"' for n in range(30)])
    assert len(await Resolver([dns.server]).txt("long.test")) == 30
    assert dns.transports["tcp"] == 1


@pytest.mark.parametrize(
    "name", ["far.test ", " far.test", "far .test", "a..b", "x" * 64 + ".test", "", "far.test\n", "-"]
)
async def test_text_that_is_no_name_does_not_exist(dns, name):
    resolver = Resolver([dns.server])
    with pytest.raises(NoSuchName):
        await resolver.mx(name)
    assert await resolver.sender_domain_exists(name) is Existence.no
    assert not dns.queries


async def test_a_senders_domain(dns):
    dns.set("mx.test", MX=["10 x.test"])
    dns.set("null.test", MX=["0 ."])
    dns.set("a.test", A=["127.0.0.1"])
    dns.set("aaaa.test", AAAA=["2600::1"])
    dns.set("txt.test", TXT=['"x"'])
    dns.fail("sick.test", "SERVFAIL")
    resolver = Resolver([dns.server])
    found = {name: await resolver.sender_domain_exists(f"{name}.test") for name in ("mx", "null", "a", "aaaa")}
    assert set(found.values()) == {Existence.yes}
    assert await resolver.sender_domain_exists("nowhere.test") is Existence.no
    assert await resolver.sender_domain_exists("txt.test") is Existence.no
    assert await resolver.sender_domain_exists("sick.test") is Existence.temporary
