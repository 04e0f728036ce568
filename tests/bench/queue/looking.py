"""What looking for due mail costs, and what is kept beside it: rounds, depth, claims beside a snapshot, an idle worker."""

import asyncio
import statistics
import time

import asyncpg

from mailkit.ids import new_id
from queue_worker.parts import Parts
from tests.bench.queue.world import Put, a_round, deliver, postgres_seconds, queue, timed

IDLE_SECONDS = 20
#: Recipients delivered while a snapshot is open.
SNAPSHOT = 20_000


async def look(dsn: str, put: Put) -> None:
    """Measure everything of this module."""
    async with queue(dsn) as (pool, parts):
        await a_round(parts)
        put("look-up of what is due, a round", min([await timed(lambda: a_round(parts)) for _ in range(5)]), "ms")
        put("depth", min([await timed(parts.maintenance.measure) for _ in range(5)]), "ms")
        start, end = await _snapshot(pool, parts)
        put("claim of 100 beside a snapshot, first", start, "ms")
        put(f"claim of 100 beside a snapshot, after {SNAPSHOT:,} deliveries", end, "ms")
        await pool.execute(
            "update queue.recipient set state = 'claimed', worker = gen_random_uuid(), claimed_at = now(), "
            "due = now() + interval '50 s' where message_id in (select id from queue.message order by id limit 1000)"
        )
        put("take_over of 1,000", await timed(parts.leases.take_over), "ms")
    async with queue(dsn) as (pool, parts):
        await pool.execute(
            "update queue.recipient set due = now() + interval '2 hours', state = 'waiting', "
            "worker = null, claimed_at = null where due < now() + interval '10 min'"
        )
        await pool.execute("vacuum analyze", timeout=600)
        put("idle Postgres", await _idle(pool, parts), "% of a core")


async def _snapshot(pool: asyncpg.Pool, parts: Parts) -> tuple[float, float]:
    """Return the median milliseconds of a claim at the start and at the end of SNAPSHOT deliveries beside a snapshot."""
    account = new_id()
    took: list[float] = []
    async with pool.acquire() as other:
        await other.execute("set idle_in_transaction_session_timeout = 0")
        held = other.transaction(isolation="repeatable_read")
        await held.start()
        await other.fetchval("select count(*) from queue.singleton")
        for _ in range(SNAPSHOT // 2000):
            await deliver(parts, 2000, account, took)
        await held.rollback()
    tenth = max(len(took) // 10, 1)
    return statistics.median(took[:tenth]), statistics.median(took[-tenth:])


async def _idle(pool: asyncpg.Pool, parts: Parts) -> float:
    """Return the share of a core, in percent, that Postgres uses for a worker with nothing due."""

    async def measure() -> None:
        while True:
            await parts.maintenance.measure()
            await asyncio.sleep(10)

    tasks = [asyncio.create_task(work) for work in (parts.filer.run(), parts.delivery.run(), measure())]
    await asyncio.sleep(3)
    spent, began = await postgres_seconds(pool), time.perf_counter()
    await asyncio.sleep(IDLE_SECONDS)
    share = (await postgres_seconds(pool) - spent) / (time.perf_counter() - began) * 100
    parts.filer.stop()
    await parts.delivery.stop(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return share
