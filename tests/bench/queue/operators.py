"""What operators wait for: pages of the list, batches of actions, and actions on BULK recipients while mail is relayed."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from mailkit.ids import new_id
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.http_server import HttpSide
from queue_worker.service import Parts, web
from queue_worker_api.admin import QueueAdmin
from tests.bench.queue.world import Put, deliver, postgres_seconds, queue, settings_of

#: Recipients of one bulk action, and seconds for which relaying alone is measured.
BULK, ALONE = 100_000, 10
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "sender, no match": {"sender": "nobody@here.test"},
    "recipient, no match": {"recipient": "nobody@far.test"},
    "domain": {"domain": "d7.test"},
    "state": {"state": "claimed"},
}


async def read(dsn: str, put: Put) -> None:
    """Measure pages of the list and batches of actions."""
    async with _served(dsn) as (_, _, admin):
        for name, wanted in FILTERS.items():
            pages, longest = await _listed(admin, wanted)
            put(f"list, the longest of {pages} pages, filter {name}", longest, "ms")
        put("retry of all, each 2,000", await _action(admin, "retry", {"all": True}), "ms")
        sender = {"filter": {"sender": "s7@here.test"}}
        put("hold of a sender among all, each batch", await _action(admin, "hold", sender), "ms")


async def bulk(dsn: str, put: Put) -> None:
    """Measure actions on BULK recipients, and what relaying beside them loses."""
    async with _served(dsn) as (pool, parts, admin):
        keys = "select id from queue.message where client_address = '192.0.2.1' order by id limit $1"
        await pool.execute(
            f"update queue.message set mail_from = 'spam@here.test' where id in ({keys})",
            BULK,
            timeout=600,
        )
        if not await pool.fetchval("select count(*) from queue.message where mail_from = 'spam@here.test'"):
            return
        await pool.execute(
            "update queue.recipient set due = now() + interval '2 hours' where due < now() + interval '1 hour'",
            timeout=600,
        )
        for name in ("hold", "remove"):  # what is released is tried, and these messages have no bodies
            stop = asyncio.Event()
            alone = asyncio.create_task(_rate(parts, stop))
            await asyncio.sleep(ALONE)
            stop.set()
            before = await alone
            stop = asyncio.Event()
            beside = asyncio.create_task(_rate(parts, stop))
            began, spent = time.perf_counter(), await postgres_seconds(pool) + time.process_time()
            changed = sum(
                [batch["recipients"] async for batch in admin.act_on_queue(name, filter={"sender": "spam@here.test"})]
            )
            took = time.perf_counter() - began
            spent = await postgres_seconds(pool) + time.process_time() - spent
            stop.set()
            after = await beside
            put(f"{name} of {changed:,} recipients", took, "s")
            put(f"relaying loses beside {name}", (1 - after / before) * 100, "%")
            put(f"processor time meanwhile, beside {name}", spent, "s")


@asynccontextmanager
async def _served(dsn: str) -> AsyncIterator[tuple[asyncpg.Pool, Parts, QueueAdmin]]:
    async with queue(dsn) as (pool, parts):
        side = HttpSide(web(settings_of(dsn), Lifecycle(), parts), "127.0.0.1", 0)
        await side.start()
        admin = QueueAdmin(f"http://127.0.0.1:{side.port}", "admin-token", timeout=600)
        yield pool, parts, admin
        await admin.aclose()
        await side.stop()


async def _listed(admin: QueueAdmin, wanted: dict[str, Any]) -> tuple[int, float]:
    """Return how many pages the list has (at most 100 are read), and the milliseconds of the longest."""
    took = []
    began = time.perf_counter()
    async for _ in admin.list_queue(**wanted):
        took.append((time.perf_counter() - began) * 1000)
        if len(took) == 100:
            break
        began = time.perf_counter()
    return len(took), sorted(took)[int(len(took) * 0.99) - 1]


async def _action(admin: QueueAdmin, name: str, given: dict[str, Any]) -> float:
    """Return the median milliseconds of a batch; at most 50 batches are run."""
    took = []
    began = time.perf_counter()
    async for _ in admin.act_on_queue(name, **given):
        took.append((time.perf_counter() - began) * 1000)
        if len(took) == 50:
            break
        began = time.perf_counter()
    return statistics.median(took)


async def _rate(parts: Parts, until: "asyncio.Event") -> float:
    """Relay messages of one account until told to stop; return how many a second."""
    count, began, account = 0, time.perf_counter(), new_id()
    while not until.is_set():
        await deliver(parts, 500, account, [])
        count += 500
    return count / (time.perf_counter() - began)
