"""A queue on a database, full or empty, and the steps that the measurements share."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import asyncpg
import psutil
from pydantic import SecretStr

from auth_api.fake import FakeAuth
from bodystore import SameDatabase
from mailkit.ids import new_id
from mailkit.postgres.pool import create_pool
from mailkit.process.clock import SystemClock
from queue_worker.config import QueueSettings
from queue_worker.parts import Parts, assemble
from queue_worker.service import SESSION
from queue_worker_api.wire import Submission, SubmissionRecipient
from tests.bench.queue.answering import Courier, Mailstore

#: Takes the name of a row, its value and the unit.
Put = Callable[[str, float, str], None]
BODY = b"Received: by mx\r\nFrom: a@far.test\r\nSubject: hello\r\n\r\nHello.\r\n"
#: Accounts and senders among the deferred mail.
ACCOUNTS = 2000

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


def settings_of(dsn: str) -> QueueSettings:
    return QueueSettings(database_url=SecretStr(dsn), admin_token=SecretStr("admin-token"), helo_name="mx.here.test")


@asynccontextmanager
async def queue(dsn: str) -> AsyncIterator[tuple[asyncpg.Pool, Parts]]:
    pool = await create_pool(dsn, service="bench", size=12, settings=SESSION)
    parts = assemble(
        settings_of(dsn),
        pool,
        SameDatabase(pool),
        SystemClock(),
        new_id(),
        cast(Any, Mailstore()),
        Courier(),
        cast(Any, FakeAuth()),
    )
    yield pool, parts
    await pool.close()


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


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """Return the milliseconds that `work` takes."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def postgres_seconds(pool: asyncpg.Pool) -> float:
    """Return the processor time that this Postgres used so far."""
    parent = psutil.Process(await pool.fetchval("select pg_backend_pid()")).parent()
    assert parent is not None
    spent: float = sum(parent.cpu_times()[:4])
    for child in parent.children():
        try:
            spent += sum(child.cpu_times()[:2])
        except psutil.Error:
            continue
    return spent


async def a_round(parts: Parts) -> None:
    while not await parts.delivery.walk.step():
        pass


async def deliver(parts: Parts, count: int, account: UUID, took: list[float]) -> None:
    """Submit and deliver `count` messages of one account to one domain; add the milliseconds of each full claim."""
    for start in range(0, count, 200):
        await parts.intake.take([_submission(n, account) for n in range(start, start + 200)])
    ask = parts.delivery._claims.remote

    async def counted(*args: Any) -> Any:
        began = time.perf_counter()
        found = await ask(*args)
        if len(found) >= 50:
            took.append((time.perf_counter() - began) * 1000)
        return found

    parts.delivery._claims.remote = counted  # type: ignore[method-assign, assignment]
    await a_round(parts)
    while await parts.delivery.turn():
        await parts.delivery.settled(20)
    parts.delivery._claims.remote = ask  # type: ignore[method-assign]


def _submission(n: int, account: UUID, domain: str = "hot.test") -> Submission:
    return Submission(
        new_id(), "a@here.test", [SubmissionRecipient(f"{n}@{domain}", f"{n}@{domain}")], BODY, None, account
    )
