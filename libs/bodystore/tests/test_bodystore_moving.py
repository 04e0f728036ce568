"""Bodies in packs, on a real Postgres: read as before, moved whole or not at all, collected, compacted, erased."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import obstore
import pytest

from bodystore import CHUNK, BodyGone, BodyStore, Mover, Objects, SameDatabase, moving
from bodystore.cold import name_of
from bodystore.objects import ObjectSettings
from bodystore.testing import ObjectServer, client, settings
from mailkit.errors import ConfigError, Unavailable
from mailkit.ids import id_floor, new_id
from mailkit.testing.postgres import Databases
from mailkit.testing.postgres import postgres as postgres

PUT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DUE = PUT + timedelta(days=3)
AGE, KEEP = timedelta(days=1), timedelta(days=30)
#: Of three chunks, of one, and empty.
LARGE, SMALL = random.Random(7).randbytes(CHUNK * 2 + 17), b"Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture
async def pool(postgres: Databases) -> AsyncIterator[asyncpg.Pool]:
    with postgres.database(("bodystore", "bodies")) as dsn:
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=6)
        yield pool
        await pool.close()


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    with ObjectServer().running() as server:
        yield server


@pytest.fixture
async def objects(server: ObjectServer) -> Objects:
    """The tests' own store; a real one whose URL is in POSTRIDER_TEST_OBJECTS (`make objectstore`)."""
    found = client(os.environ.get("POSTRIDER_TEST_OBJECTS") or server.url)
    await found.delete(sorted(await names(found)))
    return found


@pytest.fixture
def store(pool: asyncpg.Pool, objects: Objects) -> BodyStore:
    return SameDatabase(pool, objects)


@pytest.fixture
def mover(pool: asyncpg.Pool, objects: Objects) -> Mover:
    return Mover(pool, objects, age=AGE, keep=KEEP)


async def put(store: BodyStore, *bodies: bytes) -> list[UUID]:
    # `new_id` never goes back in time
    ids = [UUID(int=id_floor(PUT.timestamp()).int | uuid4().int >> 64) for _ in bodies]
    await store.put(list(zip(ids, bodies, strict=True)), PUT)
    return ids


async def collect(store: BodyStore, *body_ids: UUID) -> int:
    now = DUE + timedelta(hours=1)
    await store.mark(body_ids, now)
    return await store.delete(body_ids, now)


async def names(objects: Objects) -> set[str]:
    """Return the names of all objects in the bucket."""
    return {each["path"] for batch in [await obstore.list(objects._store).collect_async()] for each in batch}


async def rows(pool: asyncpg.Pool, table: str) -> int:
    found: int = await pool.fetchval(f"select count(*) from bodies.{table}")
    return found


async def live(pool: asyncpg.Pool) -> bool:
    """Whether the counters of the packs are what their rows add up to."""
    return bool(
        await pool.fetchval(
            "select bool_and(live = (select coalesce(sum(octets), 0) from bodies.packed where pack = k.id))"
            " from bodies.pack k"
        )
    )


@pytest.mark.any_store
async def test_a_body_in_a_pack_is_read_as_before(store: BodyStore, mover: Mover, pool: asyncpg.Pool) -> None:
    large, small, empty = await put(store, LARGE, SMALL, b"")
    assert await mover.move(DUE) == 3
    assert (await rows(pool, "chunk"), await rows(pool, "packed")) == (0, 3)
    assert await store.read_many([large, small, empty]) == {large: LARGE, small: SMALL, empty: b""}
    assert await store.read_heads([large, small]) == {large: LARGE[:CHUNK], small: SMALL}
    for offset, length in ((0, 5), (CHUNK - 3, 6), (len(LARGE) - 4, 4), (CHUNK, CHUNK + 1)):
        assert await store.read_span(large, offset, length) == LARGE[offset : offset + length]
    assert await store.sizes([large]) == {large: len(LARGE)}
    with pytest.raises(BodyGone):
        await store.read(new_id())
    assert await live(pool)


async def test_what_is_read_again_is_in_memory(
    store: BodyStore, mover: Mover, server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = await put(store, SMALL, LARGE)
    await mover.move(DUE)
    await store.read(small)
    asked = len(server.requests)
    assert await store.read(small) == SMALL and len(server.requests) == asked
    monkeypatch.setattr("bodystore.cold.MEMORY", CHUNK)
    await store.read(large)
    assert sum(map(len, store._cold._memory.values())) <= CHUNK


@pytest.mark.any_store
async def test_bodies_wait_for_their_age_and_for_a_full_pack(
    store: BodyStore, mover: Mover, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(store, LARGE)
    assert await mover.move(PUT + AGE - timedelta(hours=1)) == 0
    assert await mover.move(PUT + AGE + timedelta(hours=1)) == 0, "less than a pack, and not waiting for a day"
    monkeypatch.setattr(moving, "PACK", len(LARGE))
    assert await mover.move(PUT + AGE + timedelta(hours=1)) == 1
    monkeypatch.setattr(moving, "PACK", 1 << 30)
    await put(store, SMALL)
    assert await mover.move(PUT + AGE + moving.WAIT + timedelta(hours=1)) == 1


@pytest.mark.any_store
async def test_a_pack_is_bounded(store: BodyStore, mover: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(store, *[LARGE] * 5)
    monkeypatch.setattr(moving, "PACK", 2 * len(LARGE))
    assert [await mover.move(DUE) for _ in range(4)] == [2, 2, 1, 0]
    await put(store, *[SMALL] * 5)
    monkeypatch.setattr(moving, "MOST", 4)
    assert [await mover.move(DUE) for _ in range(3)] == [4, 1, 0]


async def test_a_store_that_is_away_costs_old_bodies_only(
    store: BodyStore, mover: Mover, server: ObjectServer, pool: asyncpg.Pool
) -> None:
    (old,) = await put(store, SMALL)
    await mover.move(DUE)
    (recent,) = await put(store, LARGE)
    server.status = 500
    with pytest.raises(Unavailable):
        await store.read_many([old, recent])
    assert await store.read(recent) == LARGE
    with pytest.raises(Unavailable):
        await mover.move(DUE)
    server.status = 0
    assert await store.read_many([old, recent]) == {old: SMALL, recent: LARGE}
    assert await rows(pool, "chunk") == 3


async def test_a_store_that_does_not_answer_is_given_up(
    store: BodyStore, mover: Mover, server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    (old,) = await put(store, SMALL)
    await mover.move(DUE)
    server.stall = threading.Event()
    monkeypatch.setattr("bodystore.objects.READ_SECONDS", 0.05)
    with pytest.raises(Unavailable):
        await store.read(old)


async def test_a_missing_object_and_a_missing_setting_are_no_lost_mail(
    store: BodyStore, mover: Mover, server: ObjectServer, pool: asyncpg.Pool
) -> None:
    (old,) = await put(store, SMALL)
    await mover.move(DUE)
    server.objects.clear()
    with pytest.raises(Unavailable):
        await store.read(old)
    with pytest.raises(Unavailable, match="POSTRIDER_OBJECTS_URL"):
        await SameDatabase(pool).read(old)


async def test_an_object_that_is_not_what_was_put_takes_no_body(
    store: BodyStore, mover: Mover, server: ObjectServer, pool: asyncpg.Pool
) -> None:
    (old,) = await put(store, SMALL)
    server.cut = 1
    with pytest.raises(Unavailable):
        await mover.move(DUE)
    assert (await rows(pool, "chunk"), await rows(pool, "packed")) == (1, 0)
    assert await store.read(old) == SMALL


async def test_an_interrupted_move_leaves_an_object_that_is_deleted(
    store: BodyStore, mover: Mover, server: ObjectServer, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = await put(store, SMALL)

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt  # as by a signal after the object was put

    with monkeypatch.context() as patch:
        patch.setattr(moving, "_unfinished", killed)
        with pytest.raises(KeyboardInterrupt):
            await mover.move(DUE)
    assert len(server.objects) == 1 and await rows(pool, "packed") == 0
    assert await mover.sweep(DUE) == 0
    assert await mover.sweep(DUE + moving.UNFINISHED) == 1
    assert not server.objects and await rows(pool, "pack") == 0
    assert await mover.move(DUE) == 1 and await store.read(old) == SMALL


async def test_a_move_that_was_given_up_changes_nothing(
    store: BodyStore, mover: Mover, server: ObjectServer, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mover that was suspended for days after its `put` continues after its object was deleted."""
    (old,) = await put(store, SMALL)
    unfinished = moving._unfinished

    async def late(connection: asyncpg.Connection, pack: UUID) -> None:
        await mover.sweep(DUE + moving.UNFINISHED)
        await unfinished(connection, pack)

    monkeypatch.setattr(moving, "_unfinished", late)
    with pytest.raises(Unavailable):
        await mover.move(DUE)
    assert not server.objects and await store.read(old) == SMALL and await rows(pool, "packed") == 0


@pytest.mark.any_store
async def test_of_two_movers_one_gets_each_body(store: BodyStore, mover: Mover, pool: asyncpg.Pool) -> None:
    ids = await put(store, *[SMALL] * 20)
    assert sum(await asyncio.gather(mover.move(DUE), mover.move(DUE))) == 20
    assert await store.read_many(ids) == dict.fromkeys(ids, SMALL)
    assert await live(pool)


@pytest.mark.any_store
async def test_a_dead_pack_is_kept_for_restores_then_deleted(
    store: BodyStore, mover: Mover, objects: Objects, pool: asyncpg.Pool
) -> None:
    ids = await put(store, SMALL, LARGE)
    await mover.move(DUE)
    assert await collect(store, *ids) == 2
    assert await mover.compact(DUE) == 1
    assert await mover.sweep(DUE + KEEP - timedelta(seconds=1)) == 0
    assert len(await names(objects)) == 1
    assert await mover.sweep(DUE + KEEP) == 1 and not await names(objects)
    assert await rows(pool, "pack") == await rows(pool, "packed") == await rows(pool, "body") == 0


@pytest.mark.any_store
async def test_sparse_packs_become_one(store: BodyStore, mover: Mover, objects: Objects, pool: asyncpg.Pool) -> None:
    kept, lost = [], []
    for _ in range(3):
        ids = await put(store, SMALL, LARGE)
        await mover.move(DUE)
        kept.append(ids[0])
        lost.append(ids[1])
    assert await mover.compact(DUE) == 0
    await collect(store, *lost)
    assert await mover.compact(DUE) == 3
    assert len(set(await pool.fetch("select pack from bodies.packed"))) == 1 and await live(pool)
    assert await mover.sweep(DUE + KEEP) == 3
    (name,) = await names(objects)
    assert await SameDatabase(pool, objects).read_many(kept) == dict.fromkeys(kept, SMALL)
    figures = await mover.figures()
    assert figures.packs == 1 and figures.live == figures.octets <= len(await objects.get(name))
    assert await mover.compact(DUE) == 0, "compacted without end"


@pytest.mark.any_store
@pytest.mark.parametrize("moved_first", [True, False])
async def test_erased_bodies_leave_the_store_within_hours(
    store: BodyStore, mover: Mover, objects: Objects, pool: asyncpg.Pool, moved_first: bool
) -> None:
    kept, erased = await put(store, LARGE, SMALL)
    if moved_first:
        await mover.move(DUE)
    async with pool.acquire() as connection:
        await store.erasing(connection, [erased], DUE)
    await mover.move(DUE)
    assert await mover.compact(DUE + moving.COLLECTED) == 0, "rewritten before the collector deleted the body"
    await collect(store, erased)
    later = DUE + moving.COLLECTED
    assert await mover.compact(later) == moved_first
    assert await mover.sweep(later + moving.READERS) == moved_first
    (name,) = await names(objects)
    assert b"hello" not in await objects.get(name) and await store.read(kept) == LARGE


@pytest.mark.any_store
async def test_random_work_at_once_loses_nothing_and_bounds_dead_space(
    store: BodyStore, mover: Mover, objects: Objects, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filing, reading, collecting, moving and compacting beside each other; the model is a dictionary."""
    monkeypatch.setattr(moving, "PACK", 64 * 1024)
    random_ = random.Random(int(os.environ.get("POSTRIDER_TEST_SEED", "1")))
    model: dict[UUID, bytes] = {}
    reader = SameDatabase(pool, objects)

    async def file() -> None:
        for _ in range(40):
            bodies = [random_.randbytes(random_.randrange(0, 8_000)) for _ in range(random_.randrange(1, 20))]
            model.update(zip(await put(store, *bodies), bodies, strict=True))

    async def collect_some() -> None:
        for _ in range(60):
            gone = random_.sample(sorted(model), min(len(model), random_.randrange(1, 12)))
            for body_id in gone:
                del model[body_id]
            assert await collect(store, *gone) == len(gone)

    async def read() -> None:
        for _ in range(60):
            wanted = dict(random_.sample(sorted(model.items()), min(len(model), 10)))
            found = await reader.read_many(list(wanted))
            assert all(found.get(body_id, wanted[body_id]) == wanted[body_id] for body_id in wanted)
            assert all(body_id in found for body_id in wanted if body_id in model), "a live body was not found"

    async def keep_moving(ended: asyncio.Event) -> None:
        while not ended.is_set():
            await mover.move(DUE)
            await mover.compact(DUE)
            await mover.sweep(DUE)

    ended = asyncio.Event()
    movers = [asyncio.create_task(keep_moving(ended)) for _ in range(2)]
    await file()
    await asyncio.gather(file(), collect_some(), read())
    ended.set()
    await asyncio.gather(*movers)
    while await mover.move(DUE):
        pass
    while await mover.compact(DUE):
        pass
    await mover.sweep(DUE + KEEP)
    assert await live(pool) and await rows(pool, "chunk") == 0
    reread = SameDatabase(pool, objects)
    assert await reread.read_many(list(model)) == model
    assert await names(objects) == {name_of(row["id"]) for row in await pool.fetch("select id from bodies.pack")}
    figures = await mover.figures()
    assert figures.octets <= 2 * figures.live


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"POSTRIDER_OBJECTS_URL": "ftp://x"}, "https://host:port"),
        ({"POSTRIDER_OBJECTS_URL": "https://user@x"}, "https://host:port"),
        ({"POSTRIDER_OBJECTS_BUCKET": ""}, "POSTRIDER_OBJECTS_BUCKET"),
        ({"POSTRIDER_OBJECTS_SECRET": ""}, "POSTRIDER_OBJECTS_SECRET"),
    ],
)
def test_incomplete_settings_are_refused(changed: dict[str, str], text: str) -> None:
    given = settings("https://objects.test")
    assert ObjectSettings.load(given).objects() is not None
    assert ObjectSettings.load({}).objects() is None
    with pytest.raises(ConfigError, match=text):
        ObjectSettings.load(given | changed).objects()
