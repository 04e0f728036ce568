"""A step of the node's wall clock moves nothing that the database's clock decides (docs/decisions/0030)."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from mailkit.postgres import clock
from mailkit.postgres.clock import DatabaseClock


@dataclass
class Node:
    """The machine's clocks and the database server's, as a test sets them (seconds)."""

    wall: float = 1_000_000.0
    steady: float = 50.0
    server: float = 2_000_000.0
    trip: float = 0.0

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds
        self.server += seconds

    async def fetchval(self, _statement: str) -> float:
        """The server's time, asked half a round trip ago."""
        self.pass_time(self.trip / 2)
        found = self.server
        self.pass_time(self.trip / 2)
        return found


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node()
    monkeypatch.setattr(clock.time, "time", lambda: made.wall)
    monkeypatch.setattr(clock, "steady", lambda: made.steady)
    return made


async def synchronised(node: Node, offset: float = 0.0) -> DatabaseClock:
    made = DatabaseClock(node, offset)  # type: ignore[arg-type]
    await made.sync()
    return made


@pytest.mark.parametrize("hours", [-1000, -3, 3, 1000])
async def test_a_step_of_the_wall_clock_moves_no_rule(node: Node, hours: int) -> None:
    made = await synchronised(node)
    node.pass_time(10)
    node.wall += hours * 3600
    assert made.timestamp() == 2_000_010
    assert made.now() == datetime.fromtimestamp(2_000_010, UTC)
    node.pass_time(10)
    await made.sync()
    assert made.timestamp() == 2_000_020


async def test_the_servers_clock_is_followed_with_the_tests_offset(node: Node) -> None:
    made = await synchronised(node, 3600)
    assert made.timestamp() == 2_003_600
    node.server += 7
    await made.sync()
    assert made.timestamp() == 2_003_607


async def test_half_the_round_trip_is_counted_away(node: Node) -> None:
    node.trip = 0.4
    made = await synchronised(node)
    assert made.timestamp() == pytest.approx(node.server)


async def test_an_answer_that_was_long_under_way_is_not_believed_once_there_is_a_better_one(node: Node) -> None:
    made = await synchronised(node)
    node.trip, node.server = 8.0, node.server + 4  # the server's time was read late
    await made.sync()
    assert made.timestamp() == 2_000_000 + 8
    node.trip = 0.1
    await made.sync()
    assert made.timestamp() == pytest.approx(node.server)


async def test_a_slow_first_answer_is_better_than_none(node: Node) -> None:
    node.trip = 8.0
    made = await synchronised(node)
    assert abs(made.timestamp() - node.server) <= 4


def test_before_the_first_answer_it_is_the_machines() -> None:
    assert DatabaseClock(None).timestamp() == pytest.approx(clock.time.time(), abs=60)  # type: ignore[arg-type]
