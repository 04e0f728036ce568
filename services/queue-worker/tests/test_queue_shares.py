"""How outbound conversations are shared out among flows (docs/decisions/0036): the rules alone, without a database."""

from uuid import UUID

import pytest

from mailkit.ids import new_id
from queue_worker.couriers.addresses import (
    AT_ONCE,
    FIRST_CONNECT,
    FIRST_GREETING,
    FIRST_HOLD,
    LATELY,
    LONGEST_HOLD,
    REMEMBERED,
    Addresses,
)
from queue_worker.couriers.models import Timeouts
from queue_worker.couriers.trouble import Trouble
from queue_worker.delivery.ready import LOOKS, Ready
from queue_worker.delivery.shares import Shares
from queue_worker.intake.flows import flow_of
from queue_worker.models import NO_FLOW

A, B, C = (UUID(int=n) for n in (1, 2, 3))


@pytest.mark.parametrize("greedy", [1, 2, 4, 9])
def test_a_newcomer_always_finds_one_part_free(greedy):
    shares = Shares(1000)
    flows = [UUID(int=n + 1) for n in range(greedy)]
    while any(shares.free(flow) for flow in flows):
        for flow in flows:
            if shares.free(flow):
                shares.take(flow)
    assert shares.free(UUID(int=99)) >= 1000 // (greedy + 1) - greedy
    assert len({shares._held[flow] for flow in flows}) <= 2  # equal parts
    for flow in flows:
        shares.give(flow, shares._held[flow])
    assert shares.total == 0 and shares._held == {}


def test_a_flow_is_an_account_else_a_client_network_else_a_sender():
    account = new_id()
    assert flow_of(account, "127.0.0.1", "a@x.test") == account
    assert flow_of(None, "127.0.0.1", "a@x.test") == flow_of(None, "127.0.0.1", "b@x.test")
    assert flow_of(None, "127.0.0.1", "a@x.test") != flow_of(None, "127.0.0.2", "a@x.test")
    assert flow_of(None, "2001:db8:1:2::1", "") == flow_of(None, "2001:db8:1:2::9", "")
    assert flow_of(None, "2001:db8:1:2::1", "") != flow_of(None, "2001:db8:1:3::1", "")
    assert flow_of(None, "2001:db8::1", "") == flow_of(None, "2001:db8:0:0:9::1", "")
    assert flow_of(None, None, "A@x.test") == flow_of(None, None, "a@x.test") != NO_FLOW
    assert flow_of(None, None, "") == NO_FLOW


def test_flows_take_turns_and_so_do_their_domains():
    ready = Ready()
    ready.add([(A, "1"), (A, "2"), (A, "3"), (B, "4"), (C, "5")])
    ready.add([(A, "1")])
    assert ready.take(9, lambda flow, domain: True) == [(A, "1"), (B, "4"), (C, "5"), (A, "2"), (A, "3")]
    assert len(ready) == 0 and ready._flows == ready._domains == {}


def test_pairs_of_one_domain_go_together():
    ready = Ready()
    ready.add([(A, "1"), (A, "2"), (B, "1"), (C, "1")])
    assert ready.take(1, lambda flow, domain: True, together=2) == [(A, "1"), (B, "1")]
    assert sorted(ready.take(9, lambda flow, domain: True, together=2)) == [(A, "2"), (C, "1")]


def test_a_domain_without_a_slot_is_waited_for_aside():
    ready = Ready()
    ready.add([(A, "1"), (B, "1"), (B, "2")])
    assert ready.take(9, lambda flow, domain: None if domain == "1" else True) == [(B, "2")]
    ready.add([(A, "1")])
    assert ready.take(9, lambda flow, domain: True) == []
    ready.unblock("1", 1)
    assert ready.take(9, lambda flow, domain: True) == [(A, "1")]
    ready.unblock("1", 5)
    assert ready.take(9, lambda flow, domain: True) == [(B, "1")]
    assert len(ready) == 0 and ready._blocked == {}


def test_a_flow_that_may_not_now_stands_in_nobodys_way():
    ready = Ready()
    ready.add((A, str(n)) for n in range(5000))
    ready.add([(B, "b")])
    looks = 0

    def may(flow, domain):
        nonlocal looks
        looks += 1
        return flow == B

    assert ready.take(9, may) == [(B, "b")]
    assert looks <= LOOKS and len(ready) == 5000


def test_one_flow_fills_half_of_what_is_remembered_at_most():
    ready = Ready(most=1000)
    ready.add((A, str(n)) for n in range(5000))
    ready.add((B, str(n)) for n in range(5000))
    assert len(ready) < 1000 and len(ready._flows[A]) == 500 and len(ready._flows[B]) == 250
    ready.add([(C, "1")])
    assert ready.take(3, lambda flow, domain: True) == [(A, "0"), (B, "0"), (C, "1")]


# -- remote addresses


def test_an_address_that_did_not_answer_lately_gets_few_connections_at_once():
    addresses = Addresses()
    assert [addresses.begin("x", 0) for _ in range(AT_ONCE + 1)] == [True] * AT_ONCE + [False]
    assert addresses.begin("y", 0)
    addresses.end("x", True, 1)
    assert all(addresses.begin("x", 1) for _ in range(100))
    assert not addresses.begin("x", 1 + LATELY)


def test_an_address_that_does_not_answer_is_left_alone_longer_and_longer():
    addresses, now, holds = Addresses(), 0.0, []
    for _ in range(6):
        assert addresses.begin("x", now)
        addresses.end("x", False, now)
        hold = 0
        while True:
            hold += 1
            try:
                addresses.begin("x", now + hold)
                break
            except Trouble as left_alone:
                assert left_alone.status == "4.4.1"
        assert not addresses.begin("x", now + hold)  # one at a time
        holds.append(hold)
        now += hold
        addresses.end("x", None, now)
    assert holds == [30, 60, 120, 240, 300, 300] and holds[0] == FIRST_HOLD and holds[-1] == LONGEST_HOLD
    assert addresses.is_silent("x") and addresses.failed_since("x", 0) and not addresses.failed_since("x", now)
    addresses.begin("x", now)
    addresses.end("x", True, now)
    assert not addresses.is_silent("x") and all(addresses.begin("x", now) for _ in range(50))


def test_first_time_outs_are_short_and_grow_to_the_full_ones():
    addresses, full = Addresses(), Timeouts()
    seen, now = [], 0.0
    for _ in range(5):
        short = addresses.patience("x", full, now)
        seen.append((short.connect, short.greeting))
        assert short.dot == full.dot and short.helo == full.helo
        addresses.begin("x", now)
        addresses.end("x", False, now)
        now += LONGEST_HOLD
    assert seen == [(10, 30), (20, 60), (30, 120), (30, 240), (30, 300)]
    assert seen[0] == (FIRST_CONNECT, FIRST_GREETING)
    addresses.begin("x", now)
    addresses.end("x", True, now)
    assert addresses.patience("x", full, now) == full


def test_what_is_remembered_of_addresses_is_bounded():
    addresses = Addresses()
    for n in range(2 * REMEMBERED):
        addresses.begin(str(n), 0)
        addresses.end(str(n), bool(n % 2), 0)
    assert len(addresses) == REMEMBERED and addresses._opening == {}
