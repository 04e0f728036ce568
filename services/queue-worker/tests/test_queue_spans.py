"""The trace of a message is kept in the queue, and each attempt is a span of it (docs/decisions/0102)."""

import pytest

from mailkit.process import spans
from queue_worker.models import Outcome

PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


class Recorded:
    """Takes spans in the place of an exporter."""

    def __init__(self):
        self.spans = []

    def record(self, name, traceparent, began, attributes):
        assert traceparent == PARENT
        self.spans.append((name, attributes.get("kind"), attributes.get("outcome"), attributes.get("n")))


@pytest.fixture
def recorded(monkeypatch):
    found = Recorded()
    monkeypatch.setattr(spans, "_tracing", found)
    return found


async def test_attempts_are_spans_of_the_messages_trace_however_late(world, recorded):
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later")
    traced = world.message("b@far.test", world.mailbox("m@here.test"), traceparent=PARENT)
    await world.submit(traced, world.message("c@far.test", world.mailbox("n@here.test")), traced)
    await world.work()
    assert {row["traceparent"] for row in await world.rows("message")} == {PARENT, None}
    world.sink.says = lambda address: None
    world.pass_time(3600)
    await world.work()
    assert sorted(recorded.spans, key=repr) == [
        ("attempt", "local", "delivered", 1),
        ("attempt", "remote", "deferred", 0),
        ("attempt", "remote", "delivered", 0),
        ("hand-over", None, None, None),
    ]
    assert sorted(each.traceparent for each in world.mailstore.filed.values()) == ["", PARENT]
