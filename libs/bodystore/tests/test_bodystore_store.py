"""The body store on a real Postgres: bytes come back as they were, and collecting never takes what is referred to."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from bodystore import CHUNK, Bodies, BodyGone, BodyStore, OtherDatabase, SameDatabase, body_store
from bodystore.same_database import FRESH, SMALL
from bodystore.store import REST
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
def same(pool: asyncpg.Pool) -> SameDatabase:
    return SameDatabase(pool)


@pytest.fixture
def other(pool: asyncpg.Pool) -> OtherDatabase:
    """As for a caller in another database, though these tests have one only."""
    return OtherDatabase(pool)


@pytest.fixture(params=["same", "other"])
def store(request: pytest.FixtureRequest) -> BodyStore:
    found: BodyStore = request.getfixturevalue(request.param)
    return found


async def test_the_database_is_the_callers_if_the_pool_is(pool: asyncpg.Pool, database: str) -> None:
    assert isinstance(body_store(pool, pool), SameDatabase)
    async with asyncpg.create_pool(database, min_size=0) as own:
        assert isinstance(body_store(pool, own), OtherDatabase)


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


HELD = "create table held (body_id uuid primary key, at timestamptz)"
HOLD = """-- Held together with what it names.
with h as (insert into held select id, $2 from unnest($1::uuid[]) as t(id) returning body_id)
select body_id from h order by body_id"""


async def test_bodies_and_the_statement_that_refers_to_them_are_stored(store: BodyStore, pool: asyncpg.Pool) -> None:
    await pool.execute(HELD)
    one, two = sorted([new_id(), new_id()])
    bodies = [(one, TEXT), (two, NOISE)]
    async with store.entering(bodies, NOW) as entering, pool.acquire() as connection:
        rows = await entering.insert(connection, bodies, NOW, HOLD, [one, two], NOW)
        assert [row["body_id"] for row in rows] == [one, two]
    assert await store.read_many([one, two]) == dict(bodies)
    assert await pool.fetchval("select count(*) from bodies.candidate") == 2


async def test_in_the_same_database_they_are_one_statement_whole_or_not_at_all(
    same: SameDatabase, pool: asyncpg.Pool
) -> None:
    await pool.execute(HELD)
    one, two, sent = new_id(), new_id(), list[str]()
    async with same.entering([], NOW) as entering, pool.acquire() as connection:
        connection.add_query_logger(lambda record: sent.append(record.query))
        await entering.insert(connection, [(one, TEXT)], NOW, HOLD, [one], NOW)
        with pytest.raises(asyncpg.UniqueViolationError):
            await entering.insert(connection, [(two, TEXT)], NOW, HOLD, [one], NOW)
    before, after = HOLD.split("\nwith ")
    inserts = [(text[: len(before)], text[-len(after) :]) for text in sent if "into held" in text]
    assert inserts == [(before, after)] * 2, "the statement's own text was changed, or there was another one"
    assert await same.read_many([one, two]) == {one: TEXT}
    assert await pool.fetchval("select count(*) from bodies.candidate") == 1


async def test_bodies_in_memory_are_what_is_stored_and_bounded(same: SameDatabase, pool: asyncpg.Pool) -> None:
    async def insert(bodies: Bodies) -> None:
        async with same.entering(bodies, NOW) as entering, pool.acquire() as connection:
            assert await entering.insert(connection, bodies, NOW, "with x as (select 1) select 1") == [(1,)]

    put = [(new_id(), random.Random(n).randbytes(SMALL)) for n in range(2 * FRESH // SMALL)]
    for start in range(0, len(put), 64):
        await insert(put[start : start + 64])
    old, fresh = put[0], put[-1]
    large = (new_id(), b"x" * (SMALL + 1))
    await insert([large])
    await pool.execute("delete from bodies.chunk where body_id = $1", fresh[0])
    assert await same.read_many([old[0], fresh[0], large[0]]) == dict([old, fresh, large])
    assert await SameDatabase(pool).read_many([old[0], large[0]]) == dict([old, large])
    await pool.execute("delete from bodies.chunk")
    held = await same.read_many([body_id for body_id, _ in [*put, large]])
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


async def test_in_the_same_database_bodies_are_stored_in_the_callers_transaction(
    same: SameDatabase, pool: asyncpg.Pool
) -> None:
    bodies = [(new_id(), b"x")]
    async with same.entering(bodies, NOW) as entering, pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await entering.store(connection, bodies, NOW)
        assert await connection.fetchval("select id from bodies.body") == bodies[0][0]
        await transaction.rollback()
    assert await same.read_many([bodies[0][0]]) == {}
    assert await same.due_candidates(NOW + REST, 10) == []


async def test_from_another_database_bodies_are_durable_before_the_callers_transaction(
    other: OtherDatabase, pool: asyncpg.Pool
) -> None:
    first, further = (new_id(), b"x"), (new_id(), b"y")
    async with other.entering([first], NOW) as entering, pool.acquire() as connection:
        assert await other.read(first[0]) == b"x"
        await entering.store(connection, [first], NOW)
        assert await pool.fetchval("select count(*) from bodies.body") == 1
        await entering.add([further], NOW)
        assert await other.read(further[0]) == b"y"
    assert [found for _, found in await other.due_candidates(NOW + REST, 10)] == [first[0], further[0]]


async def test_every_put_and_every_lost_reference_is_a_candidate_after_an_hour(
    store: BodyStore, pool: asyncpg.Pool
) -> None:
    body_id = new_id()
    await store.put([(body_id, b"x")], NOW)
    async with pool.acquire() as connection:
        await store.leaving(connection, [body_id], NOW + timedelta(minutes=1))
    assert await store.due_candidates(NOW + REST - timedelta(seconds=1), 10) == []
    first = await store.due_candidates(NOW + REST, 10)
    assert [found for _, found in first] == [body_id]
    await store.clear([row for row, _ in first])
    later = await store.due_candidates(NOW + REST + timedelta(minutes=1), 10)
    assert [found for _, found in later] == [body_id], "clearing one row forgot another"


async def alive(store: BodyStore, pool: asyncpg.Pool, *body_ids: UUID) -> set[UUID]:
    async with store.sharing(body_ids) as sharing, pool.acquire() as connection, connection.transaction():
        return await sharing.alive(connection)


async def test_a_lost_reference_is_noted_if_the_callers_transaction_is_committed(
    same: SameDatabase, pool: asyncpg.Pool
) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await same.leaving(connection, [new_id()], NOW)
        await transaction.rollback()
    assert await same.due_candidates(NOW + REST, 10) == []


async def test_a_marked_body_is_readable_and_gets_no_reference(store: BodyStore, pool: asyncpg.Pool) -> None:
    body_id = new_id()
    await store.put([(body_id, b"x")], NOW)
    assert await store.mark([body_id], NOW) == [body_id]
    assert await store.read(body_id) == b"x"
    assert await alive(store, pool, body_id) == set()
    await store.unmark([body_id], NOW)
    assert await alive(store, pool, body_id, new_id()) == {body_id}


async def test_a_body_marked_before_its_first_reference_is_gone(pool: asyncpg.Pool) -> None:
    class Delayed(OtherDatabase):
        """The collector marks what was put before it is pinned."""

        async def put(self, bodies: Bodies, now: datetime) -> None:
            await super().put(bodies, now)
            await self.mark([body_id for body_id, data in bodies if data == b"marked"], now)

    store = Delayed(pool)
    with pytest.raises(BodyGone):
        async with store.entering([(new_id(), b"x"), (new_id(), b"marked")], NOW):
            pytest.fail("a reference was made to a body being collected")
    async with store.entering([(new_id(), b"x")], NOW) as entering:
        with pytest.raises(BodyGone):
            await entering.add([(new_id(), b"marked")], NOW)


async def test_marking_waits_for_a_first_reference_under_way(other: OtherDatabase) -> None:
    first, further = (new_id(), b"x"), (new_id(), b"y")
    async with other.entering([first], NOW) as entering:
        await entering.add([further], NOW)
        marking = [asyncio.create_task(other.mark([body_id], NOW)) for body_id, _ in (first, further)]
        await asyncio.wait(marking, timeout=0.2)
        assert not any(each.done() for each in marking)
    assert await asyncio.gather(*marking) == [[first[0]], [further[0]]]


async def test_marking_waits_for_a_further_reference_under_way(store: BodyStore, pool: asyncpg.Pool) -> None:
    body_id = new_id()
    await store.put([(body_id, b"x")], NOW)
    async with store.sharing([body_id]) as sharing, pool.acquire() as connection, connection.transaction():
        assert await sharing.alive(connection) == {body_id}
        marking = asyncio.create_task(store.mark([body_id], NOW))
        await asyncio.wait({marking}, timeout=0.2)
        assert not marking.done()
    assert await marking == [body_id]


async def test_a_collector_that_slept_deletes_nothing(store: BodyStore, pool: asyncpg.Pool) -> None:
    body_id, slept, woke = new_id(), NOW, NOW + timedelta(minutes=5)
    await store.put([(body_id, b"x")], NOW)
    await store.mark([body_id], slept)
    await store.mark([body_id], woke)  # another one took over
    assert await store.delete([body_id], slept) == 0
    await store.unmark([body_id], slept)
    assert await alive(store, pool, body_id) == set()
    assert await store.delete([body_id], woke) == 1
    assert await store.read_many([body_id]) == {}
