"""Operators' actions on many recipients, and pauses: batches, fences, and what is not tried meanwhile (docs/decisions/0066)."""

import pytest

from mailkit.errors import BadRequest, NotFound
from mailkit.ids import new_id
from queue_worker.models import Outcome
from queue_worker.operators import bulk, top

DAY = 86_400


async def state(world):
    return {row["address"]: ("held" if row["held_at"] else row["state"]) for row in await world.rows("recipient")}


async def history(world):
    return {row["address"]: row["state"] for row in await world.rows("history")}


async def test_what_is_held_is_not_tried_does_not_expire_and_has_one_attempt_after_its_release(world, admin):
    queue_id = await world.deferred("b@far.test", "c@else.test")
    assert await admin.acted("hold", filter={"domain": "far.test"}, dry_run=True) == 1
    assert await state(world) == {"b@far.test": "waiting", "c@else.test": "waiting"}
    assert await admin.acted("hold", filter={"domain": "far.test"}) == 1
    assert await admin.acted("hold", filter={"domain": "far.test"}) == 0, "a repetition changes nothing"
    assert await admin.acted("retry", all=True) == 1, "a retry is no release"
    world.pass_time(3 * DAY)
    world.sink.groups.clear()
    await world.work()
    assert world.sink.groups[0] == ("else.test", 1) and ("far.test", 1) not in world.sink.groups
    assert (await history(world)).pop("c@else.test") == "expired" and (await state(world))["b@far.test"] == "held"
    (held, _) = (await admin.show_message(queue_id))["recipients"]
    assert (held["state"], held["next_attempt"], held["held_at"]) == ("held", None, "2026-03-01T12:00:00Z")
    (record,) = await admin.listed(state="held")
    assert (record["state"], record["next_attempt"], record["named"][0]["state"]) == ("held", None, "held")
    assert await admin.acted("release", all=True) == 1
    await world.work()
    assert ("far.test", 1) in world.sink.groups and (await history(world))["b@far.test"] == "expired"


async def test_removed_recipients_leave_without_a_bounce_and_stay_in_the_history(world, admin):
    spam = [
        await world.deferred(f"b{n}@far.test", world.mailbox("d@here.test"), sender="spam@here.test") for n in range(5)
    ]
    other = await world.deferred("b@far.test", sender="good@here.test")
    assert await admin.acted("remove", filter={"sender": "spam@here.test"}, dry_run=True) == 5
    assert await admin.acted("remove", filter={"sender": "spam@here.test"}) == 5
    assert await admin.acted("remove", filter={"sender": "spam@here.test"}) == 0
    assert [record["id"] for record in await admin.listed()] == [other]
    far, here = (await admin.show_message(spam[0]))["recipients"]
    assert (far["state"], far["reply"], here["state"]) == ("removed", "450 try later", "delivered")
    world.pass_time(3601)
    assert await world.worker().collector.collect() > 0, "their bodies go as those of any other"
    await world.work()
    assert not [row for row in await world.rows("message") if row["bounce"]]


@pytest.mark.parametrize(
    ("action", "text"), [("bounce", "No such run. (#5.7.1)"), ("expire", "450 try later I'm not going")]
)
async def test_recipients_given_up_have_a_bounce_for_their_sender(world, admin, action, text):
    await world.deferred("b@far.test", "c@far.test", sender="a@far.test")
    await admin.acted("hold", filter={"recipient": "c@far.test"})
    world.sink.says = lambda address: None
    assert await admin.acted(action, all=True, reason="No such run. (#5.7.1)") == 2
    assert await history(world) == dict.fromkeys(
        ["b@far.test", "c@far.test"], "failed" if action == "bounce" else "expired"
    )
    await world.work()
    (bounce,) = world.sink.got
    assert bounce.recipients == ["a@far.test"] and text in bounce.body.decode() and await world.rows("message") == []
    assert b"<b@far.test>:" in bounce.body and b"<c@far.test>:" in bounce.body


async def test_what_is_being_tried_is_left_alone_and_counted(world, admin):
    await world.deferred("b@far.test", "c@else.test")
    world.pass_time(500)
    worker = world.worker()
    busy = []

    async def meanwhile(domain, messages, report, relay=None, admit=None):
        if domain == "far.test":
            for action in bulk.CHANGES:
                named = {"route": ""} if action == "route" else {}
                async for batch in admin.act_on_queue(action, filter={"recipient": "b@far.test"}, **named):
                    busy.append((batch["recipients"], batch["busy"]))
        await take(domain, messages, report)

    take, world.sink.deliver = world.sink.deliver, meanwhile
    world.sink.says = lambda address: None
    await world.work(worker)
    assert busy == [(0, 1)] * len(bulk.CHANGES)
    assert await history(world) == {"b@far.test": "delivered", "c@else.test": "delivered"}


async def test_an_action_goes_in_batches_and_goes_on_where_it_was_left(world, admin, monkeypatch):
    monkeypatch.setattr(bulk, "WINDOW", 2)
    monkeypatch.setattr(bulk, "BATCH", 4)
    ids = [await world.deferred(f"b@far{n}.test", f"c@far{n}.test") for n in range(7)]
    batches = [batch async for batch in admin.act_on_queue("hold", all=True)]
    assert [batch["recipients"] for batch in batches] == [4, 4, 4, 2] and batches[1]["next"] == ids[3]
    monkeypatch.setattr(bulk, "WINDOWS", 3)
    await admin.acted("release", all=True)
    batches = [batch async for batch in admin.act_on_queue("remove", filter={"recipient": "b@far6.test"})]
    assert [batch["recipients"] for batch in batches] == [0, 0, 1]
    assert await admin.acted("remove", ids=ids[:2]) == 4
    assert len(await admin.listed()) == 5


async def test_an_action_names_what_it_means(admin):
    for given in ({}, {"filter": {}}, {"filter": {"colour": "red"}}, {"all": True, "reason": "a\x00b"}):
        if given != {"filter": {}}:
            with pytest.raises(BadRequest):
                await admin.acted("hold", **given)
    with pytest.raises(NotFound):
        await admin.acted("remove", ids=[new_id().hex])


async def test_what_most_of_the_queue_has_in_common_is_counted_part_by_part(world, admin, monkeypatch):
    account = new_id()
    await world.deferred("b@Far.test", "c@else.test", sender="a@one.test", account=account)
    await world.deferred("d@far.test", sender="a@two.test", reply="451 busy")
    await admin.acted("hold", filter={"domain": "else.test"})

    async def counted(by, **filter):
        parts = [part async for part in admin.top(by, **filter)]
        return [{g["key"]: (g["recipients"], g["waiting"], g["held"]) for g in part} for part in parts]

    assert await counted("domain") == [{"far.test": (2, 2, 0), "else.test": (1, 0, 1)}]
    assert await counted("sender", domain="far.test") == [{"a@one.test": (1, 1, 0), "a@two.test": (1, 1, 0)}]
    assert await counted("reply") == [{"450 try later": (2, 1, 1), "451 busy": (1, 1, 0)}]
    monkeypatch.setattr(top, "PART", 1)
    assert await counted("account") == [{str(account): (2, 1, 1)}, {"": (1, 1, 0)}, {}]
    with pytest.raises(BadRequest):
        await counted("size")


async def paused(world, admin, kind, value, *messages):
    """What is delivered of `messages` under a pause, and what is after its end."""
    await admin.pause(kind, value, reason="a test")
    await world.submit(*messages)
    worker = await world.work()
    world.pass_time(3 * DAY)
    await world.work(worker)
    before = arrived(world)
    assert await world.rows("history") == [] or before
    await admin.resume(kind, value)
    await worker.delivery.walk.step()
    world.pass_time(1)
    await world.work(worker)
    return before, arrived(world) - before


def arrived(world):
    return {r for got in world.sink.got for r in got.recipients} | {str(id) for id in world.mailstore.filed}


async def test_a_paused_destination_waits_whatever_is_accepted_later(world, admin):
    here = world.mailbox("b@here.test")
    before, after = await paused(
        world, admin, "destination", "Far.test", world.message("b@far.test", "c@else.test", here)
    )
    assert len(before) == 2 and "c@else.test" in before and after == {"b@far.test"}
    assert set((await history(world)).values()) == {"delivered"}, "a pause is no reason to expire"
    before, after = await paused(world, admin, "destination", "here.test", world.message("d@far.test", here))
    assert "d@far.test" in before and len(after) == 1


@pytest.mark.parametrize("kind", ["account", "disabled"])
async def test_a_paused_account_waits_for_mailboxes_of_ours_too(world, admin, kind):
    account, here = new_id(), world.mailbox("b@here.test")
    mine = world.message("b@far.test", here, account=account)
    before, after = await paused(world, admin, kind, account.hex, mine, world.message("c@far.test", account=new_id()))
    assert before == {"c@far.test"} and len(after) == 2


async def test_an_operators_pause_of_an_account_outlives_the_one_of_its_disabled_mailbox(world, admin):
    account = new_id()
    queue_id = await world.deferred("b@far.test", account=account)
    await admin.pause("account", account.hex, reason="a spam run")
    await admin.pause("disabled", account.hex)
    await admin.resume("disabled", account.hex)
    shown = await admin.show_message(queue_id)
    assert [(p["kind"], p["reason"]) for p in shown["pauses"]] == [("account", "a spam run")]


async def test_everything_is_paused(world, admin):
    before, after = await paused(world, admin, "all", None, world.message("b@far.test", world.mailbox("b@here.test")))
    assert before == set() and len(after) == 2


async def test_pauses_are_shown_where_they_apply(world, admin):
    account = new_id()
    queue_id = await world.deferred("b@far.test", account=account)
    await admin.pause("account", str(account), reason="a spam run")
    await admin.pause("destination", "else.test")
    first = await admin.pause("destination", "FAR.test", reason="maintenance there")
    world.pass_time(9)
    assert (await admin.pause("destination", "far.test"))["since"] == first["since"]
    shown = await admin.show_message(queue_id)
    assert shown["account"] == str(account)
    assert [(p["kind"], p["value"]) for p in shown["pauses"]] == [
        ("account", str(account)),
        ("destination", "far.test"),
    ]
    assert [p["value"] for p in await admin.list_pauses()] == [str(account), "else.test", "far.test"]
    await admin.resume("destination", "else.test")
    with pytest.raises(NotFound):
        await admin.resume("destination", "else.test")
    for kind, value in (("all", "x"), ("destination", None), ("account", "anna@here.test"), ("disabled", "x")):
        with pytest.raises(BadRequest):
            await admin.pause(kind, value)


async def test_a_pause_is_obeyed_by_claims_under_way(world, admin):
    """Pairs that are ready already are not claimed once the pause is committed."""
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later")
    await world.submit(world.message("b@far.test"))
    worker = world.worker()
    await worker.delivery.walk.step()
    await admin.pause("all", None)
    assert await worker.delivery.turn() == 0 and world.sink.groups == []
    assert len(worker.delivery._slots) == len(worker.delivery._in_hand) == 0


async def test_the_views_for_operators_have_the_columns_of_the_contract(world, admin):
    await world.deferred("b@far.test", world.mailbox("c@here.test"))
    await admin.acted("hold", all=True)
    (row,) = await world.pool.fetch("select * from queue.mail_queue")
    assert list(row.keys()) == [
        *("queue_id", "n", "sender", "recipient", "original", "kind", "domain", "account", "client_address", "size"),
        *(
            "first_seen",
            "expires",
            "state",
            "next_attempt",
            "held_at",
            "tries",
            "in_doubt",
            "status",
            "reply",
            "remote_host",
        ),
    ]
    assert (row["recipient"], row["domain"], row["state"], row["next_attempt"]) == (
        "b@far.test",
        "far.test",
        "held",
        None,
    )
    rows = await world.pool.fetch("select * from queue.mail_attempts order by n")
    assert list(rows[0].keys()) == ["queue_id", "n", "at", "outcome", "status", "reply", "remote_host"]
    assert [row["outcome"] for row in rows] == ["deferred", "delivered"]
