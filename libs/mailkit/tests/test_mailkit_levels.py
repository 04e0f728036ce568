"""Levels sink with time and are bounded; what counts as a client and as its network; other protocols are recognised."""

import pytest

from mailkit.mail.address import client_host, client_network
from mailkit.net.connections import Connections, Limits
from mailkit.net.foreign import foreign
from mailkit.net.levels import Levels


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_level_rises_with_what_is_added_and_sinks_with_time() -> None:
    clock = Clock()
    levels = Levels(0.5, clock=clock)
    assert levels.level("a") == 0
    assert [levels.add("a"), levels.add("a", 3)] == [1, 4]
    clock.now += 2
    assert levels.level("a") == 3
    clock.now += 100
    assert levels.level("a") == 0
    assert levels.add("a") == 1


def test_of_too_many_keys_the_quietest_are_forgotten() -> None:
    levels = Levels(0, most=3)
    for key in ("a", "b", "c", "a", "d"):
        levels.add(key)
    assert len(levels) == 3
    assert [levels.level(key) for key in "abcd"] == [2, 0, 1, 1]
    for n in range(1000):
        levels.add(str(n))
    assert len(levels) == 3


def test_clients_and_networks() -> None:
    assert client_host("192.0.2.7") == "192.0.2.7"
    assert client_network("192.0.2.7") == client_network("192.0.2.200") != client_network("192.0.3.7")
    assert client_host("2001:db8::1") == client_host("2001:db8::ffff:1") != client_host("2001:db8:0:1::1")
    assert client_network("2001:db8::1") == client_network("2001:db8::2")


def test_a_client_that_connects_too_often_waits_and_others_do_not() -> None:
    clock = Clock()
    connections = Connections(Limits(per_minute=60, per_address=1000), clock)
    taken = [connections.take("192.0.2.1") for _ in range(62)]
    assert taken == [None] * 60 + ["too_fast"] * 2
    assert connections.take("192.0.2.2") is None
    clock.now += 1
    assert [connections.take("192.0.2.1") for _ in range(2)] == [None, "too_fast"]


def test_most_connections_taken_is_crowded() -> None:
    connections = Connections(Limits(connections=10))
    for n in range(8):
        assert not connections.crowded
        connections.take(f"192.0.2.{n}")
    assert connections.crowded
    connections.give_back("192.0.2.0")
    assert not connections.crowded


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", "http"),
        (b"POST /x HTTP/1.0\r\n", "http"),
        (b"OPTIONS * HTTP/1.1\r\n", "http"),
        (b"GET http://x/ HTTP/1.1\r\n", "http"),
        (b"CONNECT mail.test:25 HTTP/1.1\r\n", "http"),
        (b"PRI * HTTP/2.0\r\n", "http"),
        (b"\x16\x03\x01\x02\x00\x01", "tls"),
        (b"EHLO get\r\n", None),
        (b"GET LOGIN a b\r\n", None),
        (b"a1 CAPABILITY\r\n", None),
        (b"USER post\r\n", None),
        (b"HELO /\r\n", None),
        (b"", None),
    ],
)
def test_other_protocols_are_recognised_by_their_first_octets(first: bytes, kind: str | None) -> None:
    assert foreign(first) == kind
