"""What operators wait for: pages of the list, batches of actions, and actions on BULK recipients while mail is relayed."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import md5
from typing import Any, cast
from uuid import UUID

import asyncpg

from mailkit.ids import new_id
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.http_server import HttpSide
from queue_worker.parts import Parts
from queue_worker.service import web
from queue_worker_api.admin import QueueAdmin
from tests.bench.queue.answering import Courier
from tests.bench.queue.world import Put, deliver, postgres_seconds, queue, settings_of

#: Recipients of one bulk action, and seconds of each turn with and without it.
BULK, TURN = 100_000, 0.5
FILTERS: dict[str, dict[str, Any]] = {
    "none, the first time": {},
    "none": {},
    "sender, no match": {"sender": "nobody@here.test"},
    "recipient, no match": {"recipient": "nobody@far.test"},
    "domain": {"domain": "d7.test"},
    "state": {"state": "claimed"},
    "account": {"account": str(UUID(md5(b"7", usedforsecurity=False).hexdigest()))},
    "account, no match": {"account": str(UUID(int=7))},
    "older": {"older": 3600},
    "newer, no match": {"newer": 60},
    "reply": {"reply": "try later"},
    "reply, no match": {"reply": "no such words"},
    "all of them": {"sender": "s7@here.test", "domain": "d7.test", "state": "waiting", "older": 60, "reply": "450"},
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
            batches = admin.act_on_queue(name, filter={"sender": "spam@here.test"})
            relaying = asyncio.create_task(_relay(parts))
            with_it, alone, spent, changed = Rate(), Rate(), 0.0, 0
            more = True
            while more:  # in turn, so that what else the machine does slows both
                before = await postgres_seconds(pool) + time.process_time()
                with with_it.of(parts):
                    until = time.perf_counter() + TURN
                    while time.perf_counter() < until:
                        if (batch := await anext(batches, None)) is None:
                            more = False
                            break
                        changed += batch["recipients"]
                spent += await postgres_seconds(pool) + time.process_time() - before
                with alone.of(parts):
                    await asyncio.sleep(TURN)
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)
            put(f"{name} of {changed:,} recipients", with_it.seconds, "s")
            put(f"relaying loses beside {name}", (1 - with_it.per_second / alone.per_second) * 100, "%")
            put(f"processor time meanwhile, beside {name}", spent, "s")


@dataclass
class Rate:
    """What was delivered in some stretches of time."""

    seconds: float = 0.0
    recipients: int = 0

    @property
    def per_second(self) -> float:
        return self.recipients / self.seconds

    @contextmanager
    def of(self, parts: Parts) -> Iterator[None]:
        """Add the stretch of the block."""
        began, before = time.perf_counter(), cast(Courier, parts.remote).taken
        yield
        self.seconds += time.perf_counter() - began
        self.recipients += cast(Courier, parts.remote).taken - before


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


async def _relay(parts: Parts) -> None:
    """Relay messages of one account until cancelled."""
    account = new_id()
    while True:
        await deliver(parts, 200, account, [])
