"""Delays are bounded in all and by client network, and end with whoever waits (docs/decisions/0049)."""

import asyncio
from contextlib import suppress

import pytest

from mailkit.net.tarpit import LONGEST, Tarpit
from mailkit.testing.speed import until
from tests.support.sleeps import Sleeps


async def test_what_is_not_delayed_does_not_wait() -> None:
    assert await Tarpit(0, 0).delay("192.0.2.1", 0)


async def test_a_delay_lasts_as_long_as_asked_and_no_longer_than_ten_seconds() -> None:
    sleeps = Sleeps()
    tarpit = Tarpit(10, 10, sleep=sleeps)
    waits = [asyncio.create_task(tarpit.delay("192.0.2.1", seconds)) for seconds in (2.5, 3600)]
    await until(lambda: len(sleeps.under_way) == 2)
    assert sleeps.asked == [2.5, LONGEST]
    sleeps.end()
    assert await asyncio.gather(*waits) == [True, True]


@pytest.mark.parametrize(
    ("most", "per_network", "addresses"),
    [
        (2, 9, ["192.0.2.1", "198.51.100.1", "203.0.113.1"]),
        (9, 2, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        (9, 2, ["2001:db8::1", "2001:db8::2:1", "2001:db8::3:1"]),
        (9, 2, [None, None, None]),
    ],
)
async def test_one_more_than_may_wait_is_refused_at_once(
    most: int, per_network: int, addresses: list[str | None]
) -> None:
    sleeps = Sleeps()
    tarpit = Tarpit(most, per_network, sleep=sleeps)
    waits = [asyncio.create_task(tarpit.delay(address, 5)) for address in addresses[:2]]
    await until(lambda: len(sleeps.under_way) == 2)
    assert not await tarpit.delay(addresses[2], 5)
    waits[0].cancel()  # its client left
    with suppress(asyncio.CancelledError):
        await waits[0]
    third = asyncio.create_task(tarpit.delay(addresses[2], 5))
    await until(lambda: len(sleeps.under_way) == 2)
    sleeps.end()
    assert await third and await waits[1]


async def test_nothing_waits_while_most_connections_are_taken() -> None:
    assert not await Tarpit(9, 9, crowded=lambda: True).delay("192.0.2.1", 5)
