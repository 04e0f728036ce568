"""What operators did is in the trace of the messages that it concerned, from the transaction that did it (docs/decisions/0084)."""

import pytest

from mailkit.ids import new_id
from queue_worker.storage import operations

from .conftest import QueueWithWorkers


async def done(admin, queue_id):
    (trace,) = [record async for page in admin.trace(id=[queue_id]) for record in page]
    return [
        (e["event"], e["n"], e["concerns"], e["actor"], e["reason"]) for e in trace["events"] if e["actor"] is not None
    ]


async def test_an_action_is_in_the_trace_of_the_recipients_that_it_changed(world, admin):
    queue_id = await world.deferred("b@far.test", "c@else.test", sender="spam@here.test")
    other = await world.deferred("b@far.test", sender="good@here.test")
    by = {"filter": {"sender": "spam@here.test", "domain": "far.test"}, "actor": "anna"}
    for action, reason in (("hold", "a spam run"), ("release", None), ("retry", None), ("hold", "again")):
        world.pass_time(1)
        assert await admin.acted(action, reason=reason, dry_run=True, **by) == 1
        assert await admin.acted(action, reason=reason, **by) == 1
        assert await admin.acted(action, reason="a repetition", **by) == (action == "retry")
    world.pass_time(1)
    assert await admin.acted("bounce", ids=[queue_id], reason="Not here. (#5.7.1)", actor="berta") == 2
    expected = [
        ("hold", 0, None, "anna", "a spam run"),
        ("release", 0, None, "anna", None),
        ("retry", 0, None, "anna", None),
        ("retry", 0, None, "anna", "a repetition"),
        ("hold", 0, None, "anna", "again"),
        ("bounce", 0, None, "berta", "Not here. (#5.7.1)"),
        ("bounce", 1, None, "berta", "Not here. (#5.7.1)"),
    ]
    assert await done(admin, queue_id) == expected
    assert await done(admin, other) == []
    rows = await world.pool.fetch("select event, actor from queue.mail_trace where actor = 'berta'")
    assert [tuple(row) for row in rows] == [("bounce", "berta")] * 2
    rows = await world.pool.fetch("select filter, recipients from queue.mail_operations order by id")
    assert dict(rows[0]) == {"filter": '{"sender":"spam@here.test","domain":"far.test"}', "recipients": 1}
    assert dict(rows[-1]) == {"filter": None, "recipients": 2} and len(rows) == 6


@pytest.mark.parametrize(("action", "end"), [("remove", "removed"), ("expire", "expired")])
async def test_who_ended_a_message_is_told_before_its_end(world, admin, action, end):
    queue_id = await world.deferred("b@far.test")
    world.pass_time(1)
    await admin.acted(action, all=True, actor="anna", reason="asked for")
    (trace,) = [record async for page in admin.trace(id=[queue_id]) for record in page]
    assert [(e["event"], e["actor"]) for e in trace["events"][2:]] == [(action, "anna"), (end, None)]


async def test_a_recipient_names_the_last_twenty_operations(world, admin):
    queue_id = await world.deferred("b@far.test")
    for n in range(23):
        await admin.acted("retry", all=True, actor=f"n{n}")
    assert [actor for *_, actor, _ in await done(admin, queue_id)] == [f"n{n}" for n in range(3, 23)]


async def test_pauses_and_routes_are_in_the_trace_of_the_mail_that_obeyed_them(world, admin):
    account, here = new_id(), world.mailbox("b@here.test")
    await admin.pause("destination", "gone.test", actor="anna", reason="ended before")
    await admin.resume("destination", "gone.test", actor="anna")
    await admin.pause("destination", "Far.test", actor="anna", reason="maintenance there")
    world.pass_time(1)
    queue_id = await world.deferred("c@far.test", "d@gone.test", here, account=account, sender="a@here.test")
    other = await world.deferred("c@other.test", here, sender="a@there.test")
    for kind, value in (("account", str(account)), ("disabled", str(account)), ("all", None)):
        world.pass_time(1)
        await admin.pause(kind, value, actor="berta", reason="a spam run")
        await admin.resume(kind, value, actor="berta", reason="over")
    world.pass_time(1)
    await admin.set_route("sender", "here.test", host="relay.test", actor="carla")
    await admin.delete_route("sender", "here.test", actor="carla", reason="a mistake")
    await admin.pause("destination", "here.test", actor="anna")
    told = await done(admin, queue_id)
    assert told[0] == ("pause", None, "destination far.test", "anna", "maintenance there")
    mine = f"account {account}"
    assert [(event, concerns, reason) for event, _, concerns, _, reason in told[1:]] == [
        ("pause", mine, "a spam run"),
        ("resume", mine, "over"),
        ("pause", mine.replace("account", "disabled"), "a spam run"),
        ("resume", mine.replace("account", "disabled"), "over"),
        ("pause", "all", "a spam run"),
        ("resume", "all", "over"),
        ("route", "sender here.test", None),
        ("unroute", "sender here.test", "a mistake"),
    ]
    assert [(event, concerns) for event, _, concerns, _, _ in await done(admin, other)] == [
        ("pause", "all"),
        ("resume", "all"),
    ]


async def test_an_action_without_its_event_does_not_happen(world: QueueWithWorkers, admin, monkeypatch):
    """The event is written in the transaction of the action."""
    await world.deferred("b@far.test")
    before = await world.rows("recipient")
    monkeypatch.setitem(operations.queries._sql, "note_operation", "select 1 / 0")
    for action in ("hold", "retry", "remove", "bounce", "expire"):
        with pytest.raises(Exception, match=r"\w"):
            await admin.acted(action, all=True)
    for call in (admin.pause("all", None), admin.set_route("all", None, helo="x.test")):
        with pytest.raises(Exception, match=r"\w"):
            await call
    assert (await world.rows("recipient"), await admin.list_pauses(), await admin.list_routes()) == (before, [], [])
