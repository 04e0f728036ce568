"""A hand-over: committed before it is answered, one message for a repeated hand-over, no item harmed by another."""

import asyncio

import asyncpg
import pytest

from bodystore import OtherDatabase
from mailkit.errors import BadRequest, Forbidden, TooLarge, Unauthorised, Unavailable
from mailkit.ids import new_id
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.http_server import HttpSide
from queue_worker.models import Outcome
from queue_worker.service import web
from queue_worker_api.client import QueueClient
from queue_worker_api.wire import LARGE_BODY, Submission


@pytest.fixture
async def endpoint(world):
    life = Lifecycle()
    side = HttpSide(web(world.settings, life, world.worker()), "127.0.0.1", 0)
    await side.start()
    client = QueueClient(f"http://127.0.0.1:{side.port}", "gateway-token")
    yield client
    await client.aclose()
    await side.stop()


async def test_a_list_is_answered_item_by_item(world, endpoint):
    items = [world.message(f"{n}@far.test") for n in range(5)]
    answers = await endpoint.submit(items)
    assert [answer.status for answer in answers] == ["queued"] * 5
    assert [answer.queue_id for answer in answers] == [row["id"] for row in await world.rows("message")]


async def test_a_large_message_comes_alone(world, endpoint):
    body = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + bytes(range(32, 127)) * (LARGE_BODY // 40)
    head = world.message("b@far.test", body=b"")
    assert (await endpoint.submit_large(head, body)).status == "queued"
    assert await world.bodies.read((await world.the("message"))["body_id"]) == body


async def test_a_repeated_hand_over_is_the_same_message(world, endpoint):
    item = world.message("b@far.test", "c@far.test")
    first = await endpoint.submit([item])
    again = await asyncio.gather(*(endpoint.submit([item, item]) for _ in range(5)))
    assert {answer.queue_id for answers in [first, *again] for answer in answers} == {first[0].queue_id}
    assert len(await world.rows("message")) == 1 and len(await world.rows("recipient")) == 2


async def test_a_repeated_hand_over_is_known_when_the_message_has_left(world, endpoint):
    item = world.message(world.mailbox("b@here.test"))
    first = await endpoint.submit([item])
    await world.work()
    assert await world.rows("message") == []
    assert await endpoint.submit([item]) == first
    await world.work()
    assert len(world.mailstore.filed) == 1 and await world.rows("message") == []


async def test_a_message_that_cannot_be_stored_does_not_harm_the_others(world, endpoint):
    good = [world.message(f"{n}@far.test") for n in range(4)]
    bad = world.message("b@far.test", sender="nul\x00@far.test")
    answers = await endpoint.submit([*good[:2], bad, *good[2:]])
    assert [answer.status for answer in answers] == ["queued", "queued", "failed", "queued", "queued"]
    assert len(await world.rows("message")) == 4
    assert {row["queue_id"] for row in await world.rows("submission")} == {item.submission_id for item in good}


async def test_a_full_disk_refuses_and_keeps_nothing(world, tmp_path):
    settings = world.settings.model_copy(update={"disk_path": str(tmp_path), "disk_reserve_bytes": 1 << 60})
    world.settings = settings
    assert (await world.submit(world.message("b@far.test")))[0].status == "no_space"
    assert await world.rows("message") == []


async def test_a_database_without_space_is_no_space(world, monkeypatch):
    worker = world.worker()

    async def full(*_):
        raise asyncpg.DiskFullError("no space left on device")

    monkeypatch.setattr(worker.intake, "_commit", full)
    assert [a.status for a in await worker.intake.take([world.message("b@far.test")] * 2)] == ["no_space"] * 2


async def test_a_database_that_is_away_is_said_so(world, endpoint):
    await world.pool.execute("alter table queue.message rename to elsewhere")
    await world.pool.execute(
        "create function gone() returns trigger language plpgsql as "
        "$$ begin raise exception using errcode = '57P01'; end $$"
    )
    await world.pool.execute("alter table queue.elsewhere rename to message")
    await world.pool.execute("create trigger gone before insert on queue.message execute function gone()")
    with pytest.raises(Unavailable):
        await endpoint.submit([world.message("b@far.test")])


async def test_what_the_endpoint_refuses(world, endpoint):
    with pytest.raises(BadRequest):
        await endpoint.submit([Submission(new_id(), "a@far.test", [], b"x")])
    with pytest.raises(BadRequest):
        await endpoint.submit([world.message("b@far.test", body=b"")])
    with pytest.raises(BadRequest, match="items of a SubmissionList: at most 100"):
        await endpoint.submit([world.message("b@far.test")] * 101)
    with pytest.raises(TooLarge):
        await endpoint.submit_large(world.message("b@far.test", body=b""), b"x" * (12 * 1024 * 1024))
    for token, error in (("", (Unauthorised, Unavailable)), ("admin-token", Forbidden)):
        stranger = QueueClient(endpoint.url, token)
        with pytest.raises(error):
            await stranger.submit([world.message("b@far.test")])
        await stranger.aclose()
    assert await world.rows("message") == []


async def test_bodies_in_a_database_of_their_own(world, postgres):
    with postgres.database(("bodystore", "bodies")) as dsn:
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=4)
        world.bodies = OtherDatabase(pool)
        box = world.mailbox("b@here.test")
        await world.submit(world.message(box), world.message("b@far.test", sender="x@far.test"))
        world.sink.says = lambda address: (Outcome.failed, "5.1.1", "no such user") if address == "b@far.test" else None
        await world.work()
        (filing,) = world.mailstore.filed.values()
        assert await world.bodies.read(filing.body_id)
        assert world.sink.got[0].recipients == ["x@far.test"]  # the bounce
        assert await world.pool.fetchval("select count(*) from bodies.body") == 0
        await pool.close()
