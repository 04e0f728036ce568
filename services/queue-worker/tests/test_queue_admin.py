"""The operators' API through its client: where each message is and why, and "try now"."""

import inspect
import json
from pathlib import Path

import pytest

import queue_worker_api
from mailkit.errors import BadRequest, Forbidden, NotFound
from mailkit.ids import new_id
from mailkit.testing import hostile
from queue_worker.models import Outcome
from queue_worker.operators import endpoints
from queue_worker.operators.endpoints import NAMED
from queue_worker.service import openapi
from queue_worker_api.admin import QueueAdmin

EXPORT = Path(queue_worker_api.__file__).parents[2] / "openapi.json"


async def test_the_list_says_what_waits_and_why(world, admin):
    assert await admin.listed() == []
    queue_id = await world.deferred("b@far.test", "c@far.test")
    (record,) = await admin.listed()
    assert record == {
        "id": queue_id,
        "sender": "a@sender.test",
        "size": 61,
        "recipients": 2,
        "state": "waiting",
        "in_doubt": 0,
        "reply": "450 try later",
        "first_seen": "2026-03-01T12:00:00Z",
        "expires": "2026-03-02T12:00:00Z",
        "next_attempt": "2026-03-01T12:06:40Z",
        "unnamed": 0,
        "named": [
            {
                "address": f"{name}@far.test",
                "original": f"{name}@far.test",
                "state": "waiting",
                "reply": "450 try later",
                "next_attempt": "2026-03-01T12:06:40Z",
            }
            for name in "bc"
        ],
    }


async def test_the_list_names_the_first_recipients_and_counts_the_rest(world, admin):
    await world.deferred(*(f"{n}@far.test" for n in range(NAMED + 5)), reply="\n".join(["450-" + "x" * 800] * 3))
    (record,) = await admin.listed()
    assert [recipient["address"] for recipient in record["named"]] == [f"{n}@far.test" for n in range(NAMED)]
    assert (record["recipients"], record["unnamed"]) == (NAMED + 5, 5)
    assert {len(recipient["reply"]) for recipient in record["named"]} == {len(record["reply"])} == {1000}


async def test_what_is_listed_costs_a_constant_number_of_statements(world, admin, monkeypatch):
    for n in range(12):
        await world.deferred(f"b@far{n}.test", "c@far.test")
    asked = []
    fetch = type(world.pool).fetch

    async def counted(self, query, *args, **more):
        asked.append(query)
        return await fetch(self, query, *args, **more)

    monkeypatch.setattr(type(world.pool), "fetch", counted)
    assert len(await admin.listed()) == 12 and len(asked) == 2


async def test_a_page_looks_at_a_part_of_a_long_queue_and_leads_to_the_next(world, admin, monkeypatch):
    monkeypatch.setattr(endpoints, "WINDOW", 4)
    ids = [await world.deferred(f"b@far{n % 5}.test") for n in range(11)]
    pages = [[record["id"] for record in page] async for page in admin.list_queue(domain="far4.test")]
    assert pages == [[], [ids[4]], [ids[9]]]
    assert [len(page) async for page in admin.list_queue(limit=3)] == [3, 3, 3, 2]
    assert [record["id"] for record in await admin.listed(after=ids[5])] == ids[6:]


async def test_lists_have_a_bound(admin):
    with pytest.raises(BadRequest):
        await admin.listed(limit=1001)
    with pytest.raises(BadRequest):
        await admin.acted("retry", ids=[new_id().hex] * 1001)
    with pytest.raises(BadRequest):
        await admin.show_message(new_id().hex, limit=1001)


async def test_a_message_with_many_recipients_is_shown_in_pages(world, admin):
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later") if address[0] in "13579" else None
    (answer,) = await world.submit(world.message(*(f"{n}@far.test" for n in range(10))))
    await world.work()
    shown, after = [], None
    while True:
        page = await admin.show_message(answer.queue_id.hex, after=after, limit=4)
        assert len(page["recipients"]) <= 4
        shown += [(recipient["address"], recipient["state"]) for recipient in page["recipients"]]
        if (after := page["next"]) is None:
            break
    assert shown == [(f"{n}@far.test", "waiting" if n % 2 else "delivered") for n in range(10)]


async def test_the_list_is_filtered_and_comes_in_pages(world, admin):
    one = await world.deferred("b@far.test", sender="a@one.test")
    two = await world.deferred("b@far.test", "c@else.test", sender="a@two.test")
    three = await world.deferred("d@far.test", sender="a@two.test")

    async def ids(**given):
        return [record["id"] for record in await admin.listed(**given)]

    assert await ids() == [one, two, three]
    assert await ids(limit=2) == [one, two, three] and await ids(after=two) == [three]
    assert await ids(sender="a@two.test") == [two, three]
    assert await ids(recipient="b@far.test") == [one, two]
    assert await ids(domain="Else.test") == [two]
    assert await ids(reply="TRY later", older=0, newer=60) == [one, two, three]
    assert await ids(reply="try_later") == await ids(older=60) == await ids(account=new_id().hex) == []
    assert await ids(state="waiting") == [one, two, three] and await ids(state="claimed") == []
    with pytest.raises(BadRequest):
        await ids(state="nonsense")


async def test_a_message_shows_each_recipients_state_reply_and_history(world, admin):
    queue_id = await world.deferred("b@far.test", world.mailbox("c@here.test", original="info@here.test"))
    world.pass_time(400)
    await world.deferred("z@elsewhere.test", reply="450 still not")
    shown = await admin.show_message(queue_id)
    assert (shown["id"], shown["sender"], shown["size"]) == (queue_id, "a@sender.test", 61)
    far, here = shown["recipients"]
    assert (far["address"], far["kind"], far["state"], far["tries"]) == ("b@far.test", "remote", "waiting", 2)
    assert far["reply"] == "450 still not" and far["expires"] == "2026-03-02T12:00:00Z"
    assert [(a["at"], a["reply"]) for a in far["attempts"]] == [
        ("2026-03-01T12:00:00Z", "450 try later"),
        ("2026-03-01T12:06:40Z", "450 still not"),
    ]
    assert (here["address"], here["original"], here["kind"]) == ("c@here.test", "info@here.test", "local")
    assert (here["state"], here["finished_at"]) == ("delivered", "2026-03-01T12:00:00Z")


async def test_a_message_that_left_is_still_known(world, admin):
    (answer,) = await world.submit(world.message("b@far.test"))
    await world.work()
    assert await admin.listed() == []
    shown = await admin.show_message(answer.queue_id.hex)
    (recipient,) = shown["recipients"]
    assert (recipient["state"], recipient["reply"], recipient["remote_host"]) == ("delivered", "250 ok", "mx.far.test")


async def test_retry_makes_it_due_now(world, admin):
    queue_id = await world.deferred("b@far.test", "c@far.test")
    other = await world.deferred("b@else.test")
    assert await admin.acted("retry", ids=[queue_id]) == 2
    world.sink.says = lambda address: None
    await world.work()
    assert [record["id"] for record in await admin.listed()] == [other]
    assert await admin.acted("retry", all=True) == 1
    await world.work()
    assert await admin.listed() == []


async def test_what_it_refuses(world, admin):
    with pytest.raises(NotFound, match="is under way"):
        await admin.show_message(new_id().hex)
    with pytest.raises(NotFound):
        await admin.acted("retry", ids=[new_id().hex])
    with pytest.raises(BadRequest):
        await admin.show_message("nonsense")
    gateway = QueueAdmin(admin.url, "gateway-token")
    with pytest.raises(Forbidden):
        await gateway.list_queue().__anext__()
    await gateway.aclose()


def test_the_export_is_what_the_app_says():
    assert EXPORT.read_text() == openapi() + "\n"


def test_the_client_has_one_verb_per_operation():
    paths = json.loads(openapi())["paths"]
    operations = {verb["operationId"] for path in paths.values() for verb in path.values()}
    verbs = {name for name, _ in inspect.getmembers(QueueAdmin, inspect.isfunction) if name in QueueAdmin.__dict__}
    assert {name for name in verbs if not name.startswith("_")} == operations


async def test_a_nul_or_a_lone_surrogate_anywhere_is_a_problem_document(admin):
    assert await hostile.check(admin.url, "admin-token", json.loads(openapi())) >= 6
