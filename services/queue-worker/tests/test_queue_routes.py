"""Routes: which mail they are for, what the API shows of them, and that they are obeyed (docs/decisions/0083)."""

import pytest

from mailkit.errors import BadRequest, NotFound
from mailkit.ids import new_id
from queue_worker.couriers import Relay
from queue_worker.storage import routes
from queue_worker_api.wire import SubmissionRecipient

SECRET = "correct horse"


async def test_the_first_route_of_destination_account_and_sender_is_obeyed(world, admin):
    account = new_id()
    for n, (kind, value) in enumerate(
        [("all", None), ("sender", "Here.test"), ("account", account.hex), ("destination", "FAR.test")]
    ):
        await admin.set_route(kind, value, host=f"Smart{n}.test", username="anna", password=SECRET)
    worker = world.worker()
    await worker.relays.refresh()
    for to, sender, account_id, host in [
        ("b@far.test", "a@here.test", account, "smart3.test"),
        ("b@else.test", "a@here.test", account, "smart2.test"),
        ("b@else.test", "a@Here.test", None, "smart1.test"),
        ("b@else.test", "a@there.test", new_id(), "smart0.test"),
        ("b@else.test", "", None, "smart0.test"),
    ]:
        world.sink.relays.clear()
        await world.submit(world.message(to, sender=sender, account=account_id), worker=worker)
        await world.work(worker)
        assert world.sink.relays == [Relay(host, 587, "starttls", "anna", SECRET)], to
    await admin.delete_route("destination", "far.test")
    await admin.set_route("all", None, helo="out.here.test")
    await worker.relays.refresh()
    assert worker.relays.of("far.test", account, "").host == "smart2.test"
    assert worker.relays.of("far.test", None, "") == Relay(helo="out.here.test")


POOL = [
    {"helo": "out1.here.test", "addresses": ["198.51.100.1"]},
    {"helo": "out2.here.test", "addresses": ["198.51.100.2", "2001:db8::2"]},
]


async def test_a_pool_divides_messages_and_each_keeps_its_source(world, admin):
    made = await admin.set_route("sender", "here.test", pool=POOL)
    assert made["pool"] == POOL and made == (await admin.list_routes())[0]
    relays = world.worker().relays
    await relays.refresh()
    ids = [new_id() for _ in range(64)]
    found = [relays.of("far.test", None, "a@here.test", each) for each in ids]
    assert found == [relays.of("far.test", None, "a@here.test", each) for each in ids]
    assert {(each.helo, each.source_address, each.second_source) for each in found} == {
        ("out1.here.test", "198.51.100.1", None),
        ("out2.here.test", "198.51.100.2", "2001:db8::2"),
    }
    assert {each.host for each in found} == {None}


async def test_bounces_and_forwards_have_a_pool_of_their_own(world, admin):
    for kind in ("all", "bounces", "forwards"):
        await admin.set_route(kind, None, pool=[{"helo": f"{kind}.here.test", "addresses": ["198.51.100.1"]}])
    await admin.set_route("sender", "here.test", helo="customer.here.test")
    worker = world.worker()
    await worker.relays.refresh()
    forward = SubmissionRecipient("b@far.test", "list@here.test", via="list@here.test")
    for to, sender, helo in [
        ("b@far.test", "a@here.test", "customer"),
        ("b@far.test", "a@there.test", "all"),
        ("b@far.test", "", "bounces"),
        (forward, "a@here.test", "forwards"),
    ]:
        world.sink.relays.clear()
        await world.submit(world.message(to, sender=sender), worker=worker)
        await world.work(worker)
        assert [each.helo for each in world.sink.relays] == [f"{helo}.here.test"], helo


async def test_messages_of_one_destination_go_by_their_own_routes(world, admin):
    await admin.set_route("sender", "one.test", host="smart.test", tls="opportunistic")
    worker = world.worker()
    await worker.relays.refresh()
    for sender in ("a@one.test", "a@two.test", "b@one.test"):
        await world.submit(world.message("b@far.test", sender=sender), worker=worker)
    await world.work(worker)
    assert len(world.sink.got) == 3 and await world.rows("message") == []
    assert set(world.sink.relays) == {None, Relay("smart.test", 587, "opportunistic")}


async def test_an_operator_sends_some_messages_by_a_named_route(world, admin):
    chosen = await world.deferred("b@far.test", "c@far.test", sender="a@here.test")
    other = await world.deferred("b@far.test", sender="z@here.test")
    await admin.set_route("all", None, helo="usual.test")
    by = {"ids": [chosen], "route": "Backup", "actor": "anna", "reason": "they block us"}
    with pytest.raises(NotFound, match="no route named backup; `postrider route add --name backup`"):
        await admin.acted("route", **by)
    await admin.set_route("named", "Backup", host="smart.test")
    worker = world.worker()
    await worker.relays.refresh()
    assert await admin.acted("hold", ids=[chosen]) == 2
    held = {"ids": [chosen], "filter": {"recipient": "c@far.test"}}
    assert await admin.acted("release", **held) == 1
    assert await admin.acted("route", dry_run=True, **by) == 2
    assert await admin.acted("route", **by) == 2
    world.sink.relays.clear()
    await world.work(worker)
    assert world.sink.relays == [Relay("smart.test")], "the held one waits, and other messages take their usual way"
    assert await admin.acted("release", ids=[chosen]) == 1
    await world.work(worker)
    assert world.sink.relays == [Relay("smart.test")] * 2
    assert await admin.acted("retry", ids=[other]) == 1
    await world.work(worker)
    assert world.sink.relays[2:] == [Relay(helo="usual.test")]
    (trace,) = [record async for page in admin.trace(id=[chosen]) for record in page]
    acts = [(e["event"], e["n"], e["concerns"], e["reason"]) for e in trace["events"] if e["actor"] == "anna"]
    assert acts == [("route", n, "named backup", "they block us") for n in (0, 1)]


async def test_a_named_route_is_left_and_forgotten(world, admin):
    await admin.set_route("named", "backup", host="smart.test")
    ids = [await world.deferred(f"{n}@far.test") for n in range(3)]
    worker = world.worker()
    await worker.relays.refresh()
    assert await admin.acted("route", all=True, route="backup") == 3
    assert await admin.acted("route", ids=ids[:1], route="") == 1
    world.sink.relays.clear()
    await world.work(worker)
    assert set(world.sink.relays) == {None, Relay("smart.test")} and len(world.sink.relays) == 2
    last = await world.deferred("b@far.test")
    assert await admin.acted("route", ids=[last], route="backup") == 1
    await admin.delete_route("named", "backup")
    await worker.relays.refresh()
    world.sink.relays.clear()
    await world.work(worker)
    assert world.sink.relays == [None], "as if none had been chosen"


async def test_mail_for_mailboxes_takes_no_route(world, admin):
    await admin.set_route("named", "backup", host="smart.test")
    here = SubmissionRecipient("b@here.test", "b@here.test", new_id(), 0, 1)
    await world.submit(world.message(here))
    for dry_run in (True, False):
        assert await admin.acted("route", all=True, route="backup", dry_run=dry_run) == 0
    for given in ({"route": None}, {"route": "a\0b"}):
        with pytest.raises(BadRequest):
            await admin.acted("route", all=True, **given)
    with pytest.raises(BadRequest, match="with no other"):
        await admin.acted("retry", all=True, route="backup")


async def test_a_password_is_in_no_answer_and_no_log(world, admin, capsys):
    made = await admin.set_route("all", None, host="smart.test", username="anna", password=SECRET)
    assert made == (await admin.list_routes())[0] and "password" not in made and made["username"] == "anna"
    with pytest.raises(BadRequest) as refused:
        await admin.set_route("all", None, host="smart.test", username="anna", password=SECRET, tls="none")
    with pytest.raises(BadRequest) as long:
        await admin.set_route("all", None, host="smart.test", username="anna", password=SECRET * 100)
    gone = await admin.delete_route("all", None)
    printed = capsys.readouterr()
    assert SECRET not in f"{made}{gone}{refused.value}{long.value}{printed.out}{printed.err}"
    with pytest.raises(NotFound):
        await admin.delete_route("all", None)


WRONG = [
    ("all", "x.test", {"host": "smart.test"}),
    ("destination", None, {"host": "smart.test"}),
    ("account", "anna@here.test", {"host": "smart.test"}),
    ("all", None, {}),
    ("all", None, {"host": "smart test"}),
    ("all", None, {"host": "smart.test", "username": "anna"}),
    ("all", None, {"helo": "x.test", "username": "anna", "password": SECRET}),
    ("all", None, {"host": "smart.test", "tls": "opportunistic", "username": "anna", "password": SECRET}),
    ("all", None, {"host": "smart.test", "username": "anna", "password": "a\0b"}),
    ("all", None, {"host": "smart.test", "source_address": "here"}),
    ("bounces", "x.test", {"helo": "x.test"}),
    ("named", None, {"helo": "x.test"}),
    ("all", None, {"pool": [{"helo": "x.test", "addresses": []}]}),
    ("all", None, {"pool": [{"helo": "x test", "addresses": ["198.51.100.1"]}]}),
    ("all", None, {"pool": [{"helo": "x.test", "addresses": ["198.51.100.1", "198.51.100.2"]}]}),
    ("all", None, {"pool": [{"helo": "x.test", "addresses": ["198.51.100.1"]}], "helo": "y.test"}),
    ("all", None, {"pool": [{"helo": "x.test", "addresses": ["198.51.100.1"]}] * 33}),
]


async def test_a_route_that_means_nothing_is_refused(admin):
    for kind, value, given in WRONG:
        with pytest.raises(BadRequest):
            await admin.set_route(kind, value, **given)
    assert await admin.list_routes() == []


async def test_there_are_no_more_routes_than_a_worker_keeps(world, admin, monkeypatch):
    monkeypatch.setattr(routes, "MOST", 2)
    for domain in ("a.test", "b.test", "a.test"):
        await admin.set_route("destination", domain, host="smart.test")
    with pytest.raises(BadRequest, match="routes already"):
        await admin.set_route("destination", "c.test", host="smart.test")
