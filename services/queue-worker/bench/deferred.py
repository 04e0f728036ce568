"""What a million deferred recipients cost, beside an empty queue in the same run: `make bench-queue`.

`python services/queue-worker/bench/deferred.py [RECIPIENTS [DOMAINS]]` on a Postgres of its own. Every recipient is a message
of its own and due in one to six hours. The services that are called answer at once, as in rates.py.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import asyncpg
import psutil
import uvloop
from pydantic import SecretStr
from rates import Courier, Mailstore

from bodystore import SameDatabase
from mailkit.ids import new_id
from mailkit.postgres.pool import create_pool
from mailkit.process.clock import SystemClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.logs import configure
from mailkit.rpc.http_server import HttpSide
from mailkit.testing.postgres import databases
from queue_worker.config import QueueSettings
from queue_worker.service import SESSION, Parts, assemble, web
from queue_worker_api.admin import QueueAdmin
from queue_worker_api.wire import Submission, SubmissionRecipient

BODY = b"Received: by mx\r\nFrom: a@far.test\r\nSubject: hello\r\n\r\nHello.\r\n"
IDLE_SECONDS = 20
#: Recipients delivered while a snapshot is open, and of one bulk action.
SNAPSHOT, BULK = 20_000, 100_000
#: Accounts and senders among the deferred mail.
ACCOUNTS = 2000
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "sender, no match": {"sender": "nobody@here.test"},
    "recipient, no match": {"recipient": "nobody@far.test"},
    "domain": {"domain": "d7.test"},
    "state": {"state": "claimed"},
}

_FILL = """
with m as (
    insert into queue.message
    select (lpad(to_hex((extract(epoch from now() - interval '2 hours') * 1000)::bigint + n / 1000), 12, '0')
            || '7' || lpad(to_hex(n % 1000), 3, '0') || '8' || substr(md5(n::text), 1, 15))::uuid as id,
           's' || n % {accounts} || '@here.test', gen_random_uuid(), 4000, now() - interval '2 hours',
           now() + interval '22 hours', md5((n % {accounts})::text)::uuid, '192.0.2.1', false, false, false, null, 0, 0
      from generate_series($1::int, $2::int) n
    returning id, account
)
insert into queue.recipient (message_id, n, destination, address, original, mailbox_id, quota_limit, limit_version, looped,
                             state, due, tries, status, reply, flow)
select id, 0, 'd' || d || '.test', 'r@d' || d || '.test', 'r@d' || d || '.test', null, 0, 0, false, 'waiting',
       now() + interval '1 hour' + random() * interval '5 hours', 1, '4.2.0', '450 4.2.0 try later',
       md5((d % {accounts})::text)::uuid
  from (select id, account, (random() * ({domains} - 1))::int as d from m) m
"""


async def fill(pool: asyncpg.Pool, count: int, domains: int) -> None:
    """Insert `count` messages with one deferred recipient each, for `domains` destinations; vacuum."""
    for start in range(0, count, 50_000):
        last = min(start + 50_000, count) - 1
        await pool.execute(_FILL.format(domains=domains, accounts=ACCOUNTS), start, last, timeout=600)
    async with pool.acquire() as connection:
        await connection.execute("set statement_timeout = 0")
        await connection.execute("vacuum analyze queue.recipient", timeout=600)
        await connection.execute("vacuum analyze queue.message", timeout=600)
        await connection.execute("checkpoint", timeout=600)


@asynccontextmanager
async def queue(dsn: str) -> AsyncIterator[tuple[asyncpg.Pool, Parts]]:
    pool = await create_pool(dsn, service="bench", size=12, settings=SESSION)
    settings = QueueSettings(
        database_url=SecretStr(dsn), admin_token=SecretStr("admin-token"), helo_name="mx.here.test"
    )
    parts = assemble(settings, pool, SameDatabase(pool), SystemClock(), new_id(), cast(Any, Mailstore()), Courier())
    yield pool, parts
    await pool.close()


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """Return the milliseconds that `work` takes."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def postgres_seconds(pool: asyncpg.Pool) -> float:
    """Return the processor time that this Postgres used so far."""
    parent = psutil.Process(await pool.fetchval("select pg_backend_pid()")).parent()
    assert parent is not None
    spent = sum(parent.cpu_times()[:4])
    for child in parent.children():
        try:
            spent += sum(child.cpu_times()[:2])
        except psutil.Error:
            continue
    return spent


async def idle(pool: asyncpg.Pool, parts: Parts) -> float:
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


async def a_round(parts: Parts) -> None:
    while not await parts.delivery.walk.step():
        pass


def submission(n: int, account: UUID, domain: str = "hot.test") -> Submission:
    return Submission(
        new_id(), "a@here.test", [SubmissionRecipient(f"{n}@{domain}", f"{n}@{domain}")], BODY, None, account
    )


async def deliver(parts: Parts, count: int, account: UUID, took: list[float]) -> None:
    """Submit and deliver `count` messages of one account to one domain; add the milliseconds of each full claim."""
    for start in range(0, count, 200):
        await parts.intake.take([submission(n, account) for n in range(start, start + 200)])
    ask = parts.delivery._claims.remote

    async def counted(*args: Any) -> Any:
        began = time.perf_counter()
        found = await ask(*args)
        if len(found) >= 50:
            took.append((time.perf_counter() - began) * 1000)
        return found

    parts.delivery._claims.remote = counted  # type: ignore[method-assign]
    await a_round(parts)
    while await parts.delivery.turn():
        await parts.delivery.settled(20)
    parts.delivery._claims.remote = ask  # type: ignore[method-assign]


async def snapshot(pool: asyncpg.Pool, parts: Parts) -> tuple[float, float]:
    """Return the median milliseconds of a claim at the start and at the end of SNAPSHOT deliveries beside a snapshot."""
    account, took = new_id(), []
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


async def listed(admin: QueueAdmin, wanted: dict[str, Any]) -> tuple[int, float]:
    """Return how many pages the list has (at most 100 are read), and the milliseconds of the longest."""
    took = []
    began = time.perf_counter()
    async for _ in admin.list_queue(**wanted):
        took.append((time.perf_counter() - began) * 1000)
        if len(took) == 100:
            break
        began = time.perf_counter()
    return len(took), sorted(took)[int(len(took) * 0.99) - 1]


async def action(admin: QueueAdmin, name: str, given: dict[str, Any]) -> float:
    """Return the median milliseconds of a batch; at most 50 batches are run."""
    took = []
    began = time.perf_counter()
    async for _ in admin.act_on_queue(name, **given):
        took.append((time.perf_counter() - began) * 1000)
        if len(took) == 50:
            break
        began = time.perf_counter()
    return statistics.median(took)


async def rate(parts: Parts, until: "asyncio.Event") -> float:
    """Relay messages of one account until told to stop; return how many a second."""
    count, began, account = 0, time.perf_counter(), new_id()
    while not until.is_set():
        await deliver(parts, 2000, account, [])
        count += 2000
    return count / (time.perf_counter() - began)


async def bulk(pool: asyncpg.Pool, parts: Parts, admin: QueueAdmin, put: Callable[[str, float, str], None]) -> None:
    """Measure actions on BULK recipients, and what relaying beside them loses."""
    keys = "select id from queue.message where client_address = '192.0.2.1' order by id limit $1"
    await pool.execute(f"update queue.message set mail_from = 'spam@here.test' where id in ({keys})", BULK, timeout=600)
    count = await pool.fetchval("select count(*) from queue.message where mail_from = 'spam@here.test'")
    if not count:
        return
    await pool.execute(
        "update queue.recipient set due = now() + interval '2 hours' where due < now() + interval '1 hour'", timeout=600
    )
    stop = asyncio.Event()
    alone = asyncio.create_task(rate(parts, stop))
    await asyncio.sleep(10)
    stop.set()
    before = await alone
    for name in ("hold", "remove"):  # what is released is tried, and these messages have no bodies
        stop = asyncio.Event()
        beside = asyncio.create_task(rate(parts, stop))
        began = time.perf_counter()
        changed = sum(
            [batch["recipients"] async for batch in admin.act_on_queue(name, filter={"sender": "spam@here.test"})]
        )
        took = time.perf_counter() - began
        stop.set()
        lost = (1 - await beside / before) * 100
        put(f"{name} of {changed:,} recipients", took, "s")
        put(f"relaying loses beside {name}", lost, "%")


async def main(count: int, domains: int) -> None:
    configure("bench", "error")
    rows: dict[str, list[str]] = {}

    def put(name: str, value: float, unit: str) -> None:
        rows.setdefault(name, []).append(f"{value:.2f} {unit}")
        print(f"  {name}: {value:.2f} {unit}", flush=True)

    found = databases()
    for size in (0, count):
        with found.database(("bodystore", "bodies"), ("queue_worker", "queue")) as dsn:
            print(f"{size:,} deferred recipients, {domains:,} domains, load {os.getloadavg()[0]:.1f}", flush=True)
            async with queue(dsn) as (pool, parts):
                if size:
                    await fill(pool, size, domains)
                await a_round(parts)
                put(
                    "look-up of what is due, a round",
                    min([await timed(lambda: a_round(parts)) for _ in range(5)]),
                    "ms",
                )
                put("depth", min([await timed(parts.maintenance.measure) for _ in range(5)]), "ms")
                start, end = await snapshot(pool, parts)
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
                put("idle Postgres", await idle(pool, parts), "% of a core")
            async with queue(dsn) as (pool, parts):
                side = HttpSide(web(settings_of(dsn), Lifecycle(), parts), "127.0.0.1", 0)
                await side.start()
                admin = QueueAdmin(f"http://127.0.0.1:{side.port}", "admin-token", timeout=600)
                for name, wanted in FILTERS.items():
                    pages, longest = await listed(admin, wanted)
                    put(f"list, the longest of {pages} pages, filter {name}", longest, "ms")
                put("retry of all, each 2,000", await action(admin, "retry", {"all": True}), "ms")
                sender = {"filter": {"sender": "s7@here.test"}}
                put("hold of a sender among all, each batch", await action(admin, "hold", sender), "ms")
                await bulk(pool, parts, admin, put)
                await admin.aclose()
                await side.stop()
    print()
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(values)} |")


def settings_of(dsn: str) -> QueueSettings:
    return QueueSettings(database_url=SecretStr(dsn), admin_token=SecretStr("admin-token"), helo_name="mx.here.test")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    given: Sequence[int] = [int(word) for word in sys.argv[1:]]
    uvloop.run(main(*(given or [1_000_000]), *([50_000] if len(given) < 2 else [])))
