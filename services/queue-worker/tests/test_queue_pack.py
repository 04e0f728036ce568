"""The rounds that move bodies to the object store: by one replica, an hour after the start, and none without a store."""

from datetime import timedelta
from uuid import UUID

import pytest

from bodystore import Mover, SameDatabase
from bodystore.testing import ObjectServer, client
from mailkit.errors import Unavailable
from mailkit.ids import id_floor, new_id
from mailkit.postgres.singleton import Singleton
from queue_worker.upkeep.pack import PACK_SECONDS, ROLLOUT, Packing


@pytest.fixture
def server():
    with ObjectServer().running() as server:
        yield server


async def test_bodies_move_an_hour_after_the_start_by_one_replica(world, server):
    objects = client(server.url)
    bodies = SameDatabase(world.pool, objects)
    body_id = UUID(int=id_floor(world.clock.timestamp()).int + 1)
    await bodies.put([(body_id, b"Subject: old\r\n\r\n")], world.clock.now())

    def packing() -> Packing:
        lease = Singleton(world.pool, world.clock, new_id(), "queue", "pack", period=timedelta(seconds=PACK_SECONDS))
        return Packing(Mover(world.pool, objects, age=timedelta(days=1), keep=timedelta(days=30)), world.clock, lease)

    one, other = packing(), packing()
    world.clock.current += timedelta(days=3)
    await one.round()
    await other.round()
    assert not server.objects, "an older release's pods may still run"
    world.clock.current += ROLLOUT
    server.status = 503
    with pytest.raises(Unavailable):
        await one.round()
    server.status = 0
    await other.round()
    assert not server.objects, "the other one has the lease"
    await one.round()
    assert len(server.objects) == 1 and await bodies.read(body_id) == b"Subject: old\r\n\r\n"
    await one.end()
    await other.round()


async def test_without_an_object_store_nothing_is_asked(world):
    packing = Packing(None, world.clock, Singleton(world.pool, world.clock, new_id(), "queue", "pack"))
    await packing.round()
    world.clock.current += ROLLOUT
    await packing.round()
    assert await world.pool.fetchval("select count(*) from queue.singleton where name = 'pack'") == 0
