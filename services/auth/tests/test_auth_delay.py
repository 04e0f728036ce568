"""Wrong passwords slow the answers to later ones, and refuse the owner as late as possible (docs/decisions/0049)."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from auth.storage.logins import queries
from auth_api import wire
from mailkit.ids import new_id
from mailkit.mail.address import client_network


async def test_each_wrong_password_slows_the_answer_to_the_next(auth):
    await auth.make("a@site.com")
    answers = [await auth.login("a@site.com", f"wrong {n}") for n in range(11)]
    assert [answer.delay for answer in answers] == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 0]
    assert answers[-1].outcome == "throttled"
    auth.pass_time(601)
    assert (await auth.login("a@site.com", "wrong")).delay == 0


async def test_unknown_accounts_are_slowed_like_real_ones(auth):
    answers = [await auth.login("nobody@nowhere.test", f"wrong {n}") for n in range(3)]
    assert [(answer.outcome, answer.delay) for answer in answers] == [("refused", 0), ("refused", 0.5), ("refused", 1)]


async def test_passwords_of_one_list_slow_each_other(auth):
    await auth.make("a@site.com")
    guesses = [wire.Login(new_id(), "imap", "a@site.com", f"guess {n}", "192.0.2.7") for n in range(4)]
    assert [answer.delay for answer in await auth.frontend.logins(guesses)] == [0, 0.5, 1, 1.5]


@pytest.mark.parametrize("protocol", ["smtp", "pop3", "imap"])
async def test_the_owner_at_home_never_waits_and_elsewhere_as_long_as_a_wrong_password_would(auth, protocol):
    """An answer that came at once from elsewhere would give a right password away."""
    await auth.make("a@site.com")
    assert (await auth.login("a@site.com", client="203.0.113.1")).delay == 0
    for n in range(6):
        await auth.login("a@site.com", f"guess {n}", client=f"198.51.{n}.7")
    answer = await auth.login("a@site.com", client="203.0.113.9", protocol=protocol)
    assert (answer.outcome, answer.delay) == ("ok", 0), "a known network"
    auth.pass_time(61)
    answer = await auth.login("a@site.com", client="192.0.2.9", protocol=protocol)
    assert (answer.outcome, answer.delay) == ("ok", 3), "a new network, while strangers try"
    assert (await auth.login("a@site.com", "wrong", client="192.0.3.9")).delay == 3
    auth.pass_time(61)
    answer = await auth.login("a@site.com", client="192.0.2.10", protocol=protocol)
    assert (answer.outcome, answer.delay) == ("ok", 0), "it is known now"


async def test_p4_gives_no_right_password_away_either(auth):
    await auth.make("a@site.com")
    assert (await auth.login("a@site.com", client="203.0.113.1", protocol="pop3")).outcome == "ok"
    await auth.login("a@site.com", "guess", client="198.51.0.7")
    answer = await auth.login("a@site.com", client="192.0.2.9", protocol="pop3")
    assert (answer.outcome, answer.delay) == ("too_soon", 0.5)


async def test_a_spray_from_two_networks_refuses_the_owner_nowhere(auth):
    """10 wrong passwords of strangers used to refuse the owner everywhere but at home."""
    await auth.make("a@site.com")
    seen = [(await auth.login("a@site.com", f"guess {n}", client=f"198.51.{n % 2}.7")).outcome for n in range(60)]
    assert seen == ["refused"] * 20 + ["throttled"] * 40, "each network has the limit of an account"
    answer = await auth.login("a@site.com", client="192.0.2.7")
    assert (answer.outcome, answer.delay) == ("ok", 5), "late, but let in"


async def test_strangers_in_their_hash_do_not_count_for_the_owner_at_home(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com", client="203.0.113.1")
    guesses = [wire.Login(new_id(), "imap", "a@site.com", f"guess {n}", f"198.51.{n}.7") for n in range(30)]
    mistyped = wire.Login(new_id(), "imap", "a@site.com", "mistyped", "203.0.113.1")
    answers = await auth.frontend.logins([*guesses, mistyped])
    assert [(answer.outcome, answer.delay) for answer in answers[-2:]] == [("refused", 5), ("refused", 0)]


async def test_a_right_password_from_a_new_network_leaves_the_strangers_counter_alone(auth):
    await auth.make("a@site.com")
    for n in range(3):
        await auth.login("a@site.com", f"mistyped {n}", client="192.0.2.7")
    assert (await auth.login("a@site.com", client="192.0.2.7")).outcome == "ok"
    counters = await auth.pool.fetch(
        "select kind, failures from auth.login_failures where kind <> 'address' order by kind"
    )
    assert [tuple(row) for row in counters] == [("account", 3), ("network", 0)]


@pytest.mark.parametrize("settings", [{"login_failure_delay_seconds": 0}], indirect=True)
async def test_the_delay_can_be_switched_off(auth):
    assert {(await auth.login("a@site.com", f"wrong {n}")).delay for n in range(10)} == {0}


@pytest.mark.parametrize("settings", [{"limit_exempt_networks": "192.0.2.0/24"}], indirect=True)
async def test_exempt_clients_are_not_slowed(auth):
    assert {(await auth.login("a@site.com", f"wrong {n}")).delay for n in range(15)} == {0}


@pytest.mark.parametrize("settings", [{"login_failures_per_address": 10}], indirect=True)
async def test_wrong_passwords_for_many_accounts_slow_their_client(auth):
    answers = await asyncio.gather(*(auth.login(f"u{n}@site.com", "wrong") for n in range(4)))
    assert {answer.outcome for answer in answers} == {"refused"}
    assert (await auth.login("other@site.com", "wrong")).delay == 2


async def test_a_login_reads_its_own_counters_however_many_there_are(auth):
    """A spray makes counters faster than statistics follow: the addresses' were all read by each login then."""
    await auth.make("a@site.com")
    await auth.login("a@site.com")
    await auth.pool.execute("analyze")
    for kind in ("account", "network", "address"):
        await auth.pool.execute(
            "insert into auth.login_failures (kind, key, failures, window_started) "
            f"select '{kind}', 'other ' || n, 1, $1 from generate_series(1, 5000) n",
            auth.clock.now(),
        )
    now = auth.clock.now()
    window, known = timedelta(seconds=600), timedelta(days=14)
    for address in ("192.0.2.7", "198.51.100.7"):  # its own network, and another
        found = await auth.pool.fetchval(
            "explain (analyze, format json) " + queries.read,
            [0],
            [new_id()],
            ["a@site.com"],
            [address],
            now - window,
            now + window,
            [client_network(address)],
            now - known,
            [None],
        )
        for node in nodes(json.loads(found)[0]["Plan"]):
            if node.get("Relation Name") == "login_failures":
                assert "key =" in node["Index Cond"] and node["Actual Rows"] <= 1, node


def nodes(plan):
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def test_a_release_without_the_delay_understands_one_with_it_and_the_other_way_round():
    before = [name for name in wire.LoginAnswer.__struct_fields__ if name != "delay"]
    old = msgspec.defstruct("Old", [(name, Any, None) for name in before], array_like=True)
    new = msgspec.msgpack.encode(wire.LoginAnswer("refused", delay=2.5))
    assert msgspec.msgpack.decode(new, type=old).outcome == "refused"
    said = msgspec.msgpack.encode(["refused", None, "", 0, 0, 0, 0, b""])
    assert msgspec.msgpack.decode(said, type=wire.LoginAnswer) == wire.LoginAnswer("refused")
