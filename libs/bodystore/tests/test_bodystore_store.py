"""The body store on a real Postgres: bytes come back as they were, and collecting never takes what is referred to."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bodystore import BodyGone, BodyStore
from bodystore.store import CHUNK, FRESH, REST, SMALL
from mailkit.ids import new_id
from mailkit.testing.postgres import Databases
from mailkit.testing.postgres import postgres as postgres

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEXT = b"Subject: hello\r\n\r\n" + b"a line that repeats itself\r\n" * 20_000
NOISE = random.Random(7).randbytes(CHUNK * 2 + 17)


@pytest.fixture
def database(postgres: Databases) -> Iterator[str]:
    with postgres.database(("bodystore", "bodies")) as dsn:
        yield dsn


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await asyncpg.create_pool(database, min_size=1, max_size=4)
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: asyncpg.Pool) -> BodyStore:
    return BodyStore(pool)


@pytest.mark.parametrize("data", [b"x", b"", TEXT, NOISE, NOISE[:CHUNK], NOISE[: CHUNK + 1]], ids=len)
async def test_bytes_come_back(store: BodyStore, data: bytes) -> None:
    body_id = new_id()
    await store.put([(body_id, data)], NOW)
    assert await store.read(body_id) == data
    for offset, length in ((0, 5), (CHUNK - 3, 6), (len(data) - 4, 4), (CHUNK, CHUNK + 1)):
        if offset >= 0 and offset + length <= len(data):
            assert await store.read_span(body_id, offset, length) == data[offset : offset + length]


async def test_text_is_stored_small_and_noise_as_it_is(store: BodyStore, pool: asyncpg.Pool) -> None:
    text, noise = new_id(), new_id()
    await store.put([(text, TEXT), (noise, NOISE)], NOW)
    size = "select sum(length(data)) from bodies.chunk where body_id = $1"
    assert await pool.fetchval(size, text) < len(TEXT) / 50
    assert await pool.fetchval(size, noise) == len(NOISE) + 3  # one octet a chunk says how it is kept


async def test_put_with_another_statement_is_whole_or_not_at_all(store: BodyStore, pool: asyncpg.Pool) -> None:
    await pool.execute("create table held (body_id uuid primary key, at timestamptz)")
    hold = """-- Held together with what it names.
with h as (insert into held select id, $2 from unnest($1::uuid[]) as t(id) returning body_id)
select body_id from h order by body_id"""
    one, two = sorted([new_id(), new_id()])
    async with pool.acquire() as connection:
        rows = await store.put_with([(one, TEXT), (two, NOISE)], NOW, connection, hold, [one, two], NOW)
        assert [row["body_id"] for row in rows] == [one, two]
        third = new_id()
        with pytest.raises(asyncpg.UniqueViolationError):
            await store.put_with([(third, TEXT)], NOW, connection, hold, [two], NOW)
    assert await store.read_many([one, two, third]) == {one: TEXT, two: NOISE}
    assert await pool.fetchval("select count(*) from bodies.candidate") == 2


async def test_bodies_in_memory_are_what_is_stored_and_bounded(store: BodyStore, pool: asyncpg.Pool) -> None:
    put = [(new_id(), random.Random(n).randbytes(SMALL)) for n in range(2 * FRESH // SMALL)]
    async with pool.acquire() as connection:
        for start in range(0, len(put), 64):
            assert await store.put_with(put[start : start + 64], NOW, connection, "with x as (select 1) select 1") == [
                (1,)
            ]
    old, fresh = put[0], put[-1]
    large = (new_id(), b"x" * (SMALL + 1))
    async with pool.acquire() as connection:
        await store.put_with([large], NOW, connection, "with x as (select 1) select 1")
    await pool.execute("delete from bodies.chunk where body_id = $1", fresh[0])
    assert await store.read_many([old[0], fresh[0], large[0]]) == dict([old, fresh, large])
    assert await BodyStore(pool).read_many([old[0], large[0]]) == dict([old, large])
    await pool.execute("delete from bodies.chunk")
    held = await store.read_many([body_id for body_id, _ in [*put, large]])
    assert held == dict(put[-FRESH // SMALL :])


async def test_many_in_one_query(store: BodyStore) -> None:
    bodies = [(new_id(), b"%d" % n * 1000) for n in range(50)]
    await store.put(bodies, NOW)
    assert await store.read_many([body_id for body_id, _ in bodies] + [new_id()]) == dict(bodies)


async def test_large_bodies_put_at_once_do_not_mix(store: BodyStore) -> None:
    bodies = [(new_id(), random.Random(n).randbytes(1000) * 600) for n in range(8)]
    await asyncio.gather(*(store.put([item], NOW) for item in bodies))
    for body_id, data in bodies:
        assert await store.read(body_id) == data


async def test_a_body_that_never_was_is_gone(store: BodyStore) -> None:
    with pytest.raises(BodyGone):
        await store.read(new_id())
    with pytest.raises(BodyGone):
        await store.read_span(new_id(), 0, 1)


async def test_put_joins_the_callers_transaction(store: BodyStore, pool: asyncpg.Pool) -> None:
    body_id = new_id()
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await store.put([(body_id, b"x")], NOW, connection)
        await transaction.rollback()
    assert await store.read_many([body_id]) == {}
    assert await store.due_candidates(NOW + REST, 10) == []


async def test_every_put_and_every_lost_reference_is_a_candidate_after_an_hour(store: BodyStore) -> None:
    body_id = new_id()
    await store.put([(body_id, b"x")], NOW)
    await store.note_unreferenced([body_id], NOW + timedelta(minutes=1))
    assert await store.due_candidates(NOW + REST - timedelta(seconds=1), 10) == []
    first = await store.due_candidates(NOW + REST, 10)
    assert [found for _, found in first] == [body_id]
    await store.clear([row for row, _ in first])
    later = await store.due_candidates(NOW + REST + timedelta(minutes=1), 10)
    assert [found for _, found in later] == [body_id], "clearing one row forgot another"


async def test_a_marked_body_is_readable_and_gets_no_first_reference(store: BodyStore) -> None:
    body_id = new_id()
    await store.put([(body_id, b"x")], NOW)
    assert await store.mark([body_id], NOW) == [body_id]
    assert await store.read(body_id) == b"x"
    with pytest.raises(BodyGone):
        async with store.first_reference([body_id]):
            pytest.fail("a reference was made to a body being collected")
    await store.unmark([body_id], NOW)
    async with store.first_reference([body_id]):
        pass


async def test_marking_waits_for_a_first_reference_under_way(store: BodyStore) -> None:
    body_id = new_id()
    await store.put([(body_id, b"x")], NOW)
    async with store.first_reference([body_id]):
        marking = asyncio.create_task(store.mark([body_id], NOW))
        await asyncio.wait({marking}, timeout=0.2)
        assert not marking.done()
    assert await marking == [body_id]


async def test_a_collector_that_slept_deletes_nothing(store: BodyStore) -> None:
    body_id, slept, woke = new_id(), NOW, NOW + timedelta(minutes=5)
    await store.put([(body_id, b"x")], NOW)
    await store.mark([body_id], slept)
    await store.mark([body_id], woke)  # another one took over
    assert await store.delete([body_id], slept) == 0
    await store.unmark([body_id], slept)
    with pytest.raises(BodyGone):
        async with store.first_reference([body_id]):
            pass
    assert await store.delete([body_id], woke) == 1
    assert await store.read_many([body_id]) == {}
