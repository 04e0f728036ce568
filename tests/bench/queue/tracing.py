"""What a look into the trace costs with a week of EVENTS events: the step `trace`."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from mailkit.ids import id_floor
from queue_worker.operators.trace import NAMED
from queue_worker.storage.trace import Traces, Wanted
from tests.bench.queue.world import ACCOUNTS, Put, queue

#: Three of each message: accepted, deferred, delivered.
EVENTS = 1_000_000
DAYS = 7
DAY = 86_400

#: Every tenth message is one account's.
_FILL = """
with s as (
    select (lpad(to_hex((extract(epoch from now()) * 1000 - n * {step})::bigint), 12, '0')
            || '7' || lpad(to_hex(n % 4096), 3, '0') || '8' || substr(md5(n::text), 1, 15))::uuid as id,
           case when n % 10 = 0 then 0 else n % {accounts} end as account, n
      from generate_series($1::int, $2::int) n
), a as (
    insert into queue.submission (id, queue_id, at, mail_from, size, account, client_address, listener, tls, helo, by,
                                  account_address, header_id)
    select id, id, now(), 's' || account || '@here.test', 4000, md5(account::text)::uuid, '192.0.2.' || n % 250, 'submission',
           'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384', 'client.test', 'auth', 's' || account || '@here.test', n || '@client.test'
      from s
), t as (
    insert into queue.attempt (message_id, n, attempt, at, outcome, status, reply, remote_host)
    select id, 0, 1, now(), 'deferred', '4.2.0', '450 4.2.0 try later', 'mx.d' || n % 50000 || '.test' from s
)
insert into queue.ended (finished_at, message_id, n, tries, in_doubt, tls, local, state, address, original, status, reply,
                         remote_host, remote_address, acted, via, sender)
select now(), id, 0, 2, 0, 1, false, 'd', 'recipient' || n % 1000 || '@d' || n % 50000 || '.test', '', '',
       '250 2.0.0 Ok: queued as ' || substr(md5(n::text), 1, 12), 'mx1.d' || n % 50000 || '.test', '192.0.2.' || n % 250, '', '', ''
  from s
"""

_SIZE = "select sum({function}(inhrelid))::float from pg_inherits where inhparent = 'queue.ended'::regclass"


async def trace(dsn: str, put: Put) -> None:
    """Fill a week, and measure looks at an account's day, and the size."""
    async with queue(dsn) as (pool, _):
        before = await _octets(pool)
        await _fill(pool)
        put("trace, a message with its indexes and history", (await _octets(pool) - before) / (EVENTS / 3), "octets")
        for name, function in (
            ("history, a remote recipient", "pg_relation_size"),
            ("with its index", "pg_total_relation_size"),
        ):
            put(name, await pool.fetchval(_SIZE.format(function=function)) / (EVENTS / 3), "octets")
        for name, account in (("a tenth of all", 0), (f"one of {ACCOUNTS:,}", 1)):
            key: UUID = await pool.fetchval("select md5($1::int::text)::uuid", account)
            took = [await _look(pool, key) for _ in range(5)]
            found, first = took[0]
            put(f"trace of an account's 24 h, {name}: messages", found, "")
            put(f"trace of an account's 24 h, {name}: the first time", first, "ms")
            put(f"trace of an account's 24 h, {name}", min(ms for _, ms in took), "ms")


async def _fill(pool: asyncpg.Pool) -> None:
    messages = EVENTS // 3
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for ago in range(DAYS + 1):
        day = midnight - timedelta(days=ago)
        low, high = id_floor(day.timestamp()), id_floor(day.timestamp() + DAY)
        for table in ("submission", "attempt", "ended"):
            await pool.execute("select queue.make_partition($1, $2, $3, $4)", table, day.date(), low, high)
    statement = _FILL.format(step=DAYS * DAY * 1000 // messages, accounts=ACCOUNTS)
    for start in range(0, messages, 50_000):
        await pool.execute(statement, start, min(start + 50_000, messages) - 1, timeout=600)
    for table in ("submission", "attempt", "ended"):
        await pool.execute(f"vacuum analyze queue.{table}", timeout=600)


async def _look(pool: asyncpg.Pool, account: UUID) -> tuple[int, float]:
    """Read all pages as `postrider trace --account … --since 24h --limit 100000` does; the messages, and milliseconds."""
    traces, began, found = Traces(pool), time.perf_counter(), 0
    low, high = id_floor(time.time() - DAY), UUID(int=2**128 - 1)
    before: UUID | None = high
    while before is not None:
        ids, before = await traces.matching(low, before, Wanted(account), 5000, 500)
        records = await traces.accepted(ids)
        known = [record.id for record in records]
        await traces.events(known, NAMED)
        await traces.acts(known, NAMED)
        found += len(records)
    return found, (time.perf_counter() - began) * 1000


async def _octets(pool: asyncpg.Pool) -> int:
    octets: int = await pool.fetchval("select pg_database_size(current_database())")
    return octets
