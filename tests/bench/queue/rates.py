"""What the queue itself can do, the services it calls answering at once: accepted, filed and relayed messages per second.

`python -m tests.bench.queue.rates [MESSAGES]` on a Postgres of its own. Accepting is driven by a process of its
own through the real endpoint, in lists of 20 from 6 connections; bodies are 4 KB. `at once` does both sides together.
"""

import asyncio
import base64
import os
import random
import sys
import time
from typing import Any, cast

import uvloop
from pydantic import SecretStr

from auth_api.fake import FakeAuth
from bodystore import SameDatabase
from mailkit.ids import new_id
from mailkit.postgres.pool import create_pool
from mailkit.process.clock import SystemClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.logs import configure
from mailkit.rpc.http_server import HttpSide
from mailkit.testing.postgres import databases
from queue_worker.config import QueueSettings
from queue_worker.parts import Parts, assemble
from queue_worker.service import SESSION, web
from queue_worker_api.client import QueueClient
from queue_worker_api.wire import Submission, SubmissionRecipient
from tests.bench.queue.answering import Courier, Mailstore

LIST, CONNECTIONS = 20, 6


async def load(url: str, count: int, kind: str) -> None:
    """Hand `count` messages over; prints the rate and the endpoint's latency."""
    client = QueueClient(url, "gateway-token", timeout=60)
    body = b"Received: from x by y\r\nFrom: a@b.c\r\nTo: d@e.f\r\nSubject: hello\r\n\r\n"
    body += base64.encodebytes(random.Random(1).randbytes(2950)).replace(b"\n", b"\r\n")
    left, took = count, []

    def recipient() -> SubmissionRecipient:
        if kind == "local":
            return SubmissionRecipient("b@here.test", "b@here.test", new_id(), 1 << 30, 1)
        return SubmissionRecipient("b@sink.test", "b@sink.test")

    async def connection() -> None:
        nonlocal left
        while left > 0:
            size = min(LIST, left)
            left -= size
            items = [Submission(new_id(), "a@far.test", [recipient()], body) for _ in range(size)]
            began = time.perf_counter()
            assert all(answer.status == "queued" for answer in await client.submit(items))
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    rate = count / (time.perf_counter() - began)
    took.sort()
    p50, p99 = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
    print(f"{kind:7} accepted {rate:6.0f}/s  list p50 {p50:.0f} ms p99 {p99:.0f} ms", flush=True)
    await client.aclose()


async def measure(dsn: str, count: int, kind: str, at_once: bool) -> None:
    pool = await create_pool(dsn, service="bench", size=12, settings=SESSION)
    settings = QueueSettings(
        database_url=SecretStr(dsn), token_gateway_queue=SecretStr("gateway-token"), helo_name="mx.here.test"
    )
    parts = assemble(
        settings,
        pool,
        SameDatabase(pool),
        SystemClock(),
        new_id(),
        cast(Any, Mailstore()),
        Courier(),
        cast(Any, FakeAuth()),
    )
    side = HttpSide(web(settings, Lifecycle(), parts), "127.0.0.1", 0)
    await side.start()
    loops = _begin(parts) if at_once else []
    began, used = time.perf_counter(), time.process_time()
    url = f"http://127.0.0.1:{side.port}"
    loader = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.queue.rates", "load", str(count), url, kind
    )
    await loader.wait()
    if not at_once:
        began, used = time.perf_counter(), time.process_time()
        loops = _begin(parts)
    while await pool.fetchval("select exists (select from queue.message)"):
        await asyncio.sleep(0.02)
    rate, cpu = count / (time.perf_counter() - began), (time.process_time() - used) / count
    verb = "filed" if kind == "local" else "relayed"
    print(f"{kind:7} {verb:8} {rate:6.0f}/s  {cpu * 1e6:.0f} µs of CPU each{' (with accepting, at once)' * at_once}")
    parts.filer.stop()
    await parts.delivery.stop(1)
    for task in loops:
        task.cancel()
    await side.stop()
    await pool.close()


def _begin(parts: Parts) -> list["asyncio.Task[None]"]:
    return [asyncio.create_task(parts.filer.run()), asyncio.create_task(parts.delivery.run())]


async def main(count: int) -> None:
    configure("bench", "info")
    found = databases()
    for kind in ("local", "remote"):
        for at_once in (False, True):
            with found.database(("bodystore", "bodies"), ("queue_worker", "queue")) as dsn:
                await measure(dsn, count, kind, at_once)


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        uvloop.run(load(sys.argv[3], int(sys.argv[2]), sys.argv[4]))
    else:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the log, rendered but not kept
        uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
