"""What mailstore's endpoints do per second on a Postgres of its own: filing, opening, fetching, appending.

`python services/mailstore/bench/endpoints.py [MESSAGES]`. Filing is driven by a process of its own through the real endpoint, as
queue-worker does it: lists of 200 from 3 connections, 1,000 mailboxes, bodies of 4 KB, one recipient each.
"""

import asyncio
import base64
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop
from pydantic import SecretStr

from bodystore import SameDatabase
from mailkit.ids import new_id
from mailkit.postgres.pool import PLANNER, create_pool
from mailkit.process.clock import SystemClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.logs import configure
from mailkit.rpc.http_server import HttpSide
from mailkit.rpc.proof import ProofKeys
from mailkit.testing.postgres import databases
from mailstore.config import MailstoreSettings
from mailstore.parts import Parts, assemble
from mailstore.service import web
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import (
    Append,
    Column,
    FetchQuestion,
    Filing,
    FilingList,
    MailboxQuestion,
    OpenFolder,
    SearchQuestion,
    Section,
)

LIST, FLIGHTS, MAILBOXES = 200, 3, 1000
ROOM = 1 << 40
HEAD = (
    "Received: from mx.far.test by mx.here.test with ESMTPS id 1; Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    "From: =?utf-8?q?J=C3=BCrgen?= <j@far.test>\r\nTo: Anna <anna@here.test>\r\nSubject: Report {n} of the week\r\n"
    "Date: Mon, 23 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{n}@far.test>\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/alternative; boundary="b1"\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
)
TEXT = base64.encodebytes(random.Random(1).randbytes(2300)).decode().replace("\n", "\r\n")


def message(n: int) -> bytes:
    """4 KB of two alternatives that compress badly."""
    tail = f"\r\n--b1\r\nContent-Type: text/html\r\n\r\n<p>{n}</p>\r\n--b1--\r\n"
    return (HEAD.replace("{n}", str(n)) + TEXT + tail).encode()


def filing(mailbox_id: UUID, body_id: UUID) -> Filing:
    prefix = b"Return-Path: <j@far.test>\r\nDelivered-To: anna@here.test\r\n"
    return Filing(new_id(), mailbox_id, body_id, prefix, time.time(), ROOM, 1)


def proof(mailbox_id: UUID) -> bytes:
    return ProofKeys([b"k" * 32]).sign(mailbox_id, 1, time.time() + 600)


async def load(url: str, path: str) -> None:
    """The loader: files the bodies whose ids stand in `path`."""
    client = MailstoreClient(url, "queue-token", timeout=60)
    raw = await asyncio.to_thread(Path(path).read_bytes)
    bodies = [UUID(bytes=raw[at : at + 16]) for at in range(0, len(raw), 16)]
    mailboxes = [new_id() for _ in range(MAILBOXES)]
    chance, took = random.Random(2), []

    async def flight() -> None:
        while bodies:
            items = [filing(chance.choice(mailboxes), bodies.pop()) for _ in range(min(LIST, len(bodies)))]
            began = time.perf_counter()
            assert all(answer.status == "filed" for answer in await client.file(FilingList(items)))
            took.append(time.perf_counter() - began)

    count, began = len(bodies), time.perf_counter()
    await asyncio.gather(*(flight() for _ in range(FLIGHTS)))
    rate = count / (time.perf_counter() - began)
    took.sort()
    print(
        f"filed     {rate:7.0f}/s   lists of {LIST}: p50 {took[len(took) // 2] * 1000:.0f} ms,"
        f" p99 {took[int(len(took) * 0.99)] * 1000:.0f} ms",
        flush=True,
    )
    await client.aclose()


@asynccontextmanager
async def service(dsn: str) -> AsyncIterator[tuple[Parts, str]]:
    settings = MailstoreSettings(
        database_url=SecretStr(dsn),
        http_port=0,
        token_queue_mailstore=SecretStr("queue-token"),
        token_frontend_mailstore=SecretStr("frontend-token"),
        proof_key=SecretStr("k" * 32),
    )
    pool = await create_pool(dsn, service="bench", size=16, settings=PLANNER)
    parts = assemble(settings, pool, SameDatabase(pool), SystemClock())
    side = HttpSide(web(settings, Lifecycle(), parts), "127.0.0.1", 0)
    await side.start()
    try:
        yield parts, f"http://127.0.0.1:{side.port}"
    finally:
        await side.stop()
        await pool.close()


async def filings(parts: Parts, url: str, count: int) -> None:
    ids = [new_id() for _ in range(count)]
    for start in range(0, count, 500):
        part = ids[start : start + 500]
        await parts.bodies.put([(i, message(n)) for n, i in enumerate(part, start)], parts.clock.now())
    path = f"/tmp/postrider-bench-{os.getpid()}"
    await asyncio.to_thread(Path(path).write_bytes, b"".join(i.bytes for i in ids))
    used = time.process_time()
    loader = await asyncio.create_subprocess_exec(sys.executable, __file__, "load", url, path)
    await loader.wait()
    os.unlink(path)
    print(f"          {(time.process_time() - used) / count * 1e6:7.0f} µs of this process's CPU each", flush=True)


async def reading(parts: Parts, url: str, count: int) -> None:
    """One mailbox of `count` messages, read as a front end reads it."""
    front = MailstoreClient(url, "frontend-token", timeout=60)
    front.proof_of = proof
    mailbox_id, body_ids = new_id(), [new_id() for _ in range(count)]
    for start in range(0, count, 500):
        part = body_ids[start : start + 500]
        await parts.bodies.put([(i, message(n)) for n, i in enumerate(part, start)], parts.clock.now())
        await parts.filer.file([filing(mailbox_id, body_id) for body_id in part])

    async def timed(what: str, work: Callable[[], Awaitable[None]]) -> None:
        took = []
        for _ in range(5):
            began = time.perf_counter()
            await work()
            took.append(time.perf_counter() - began)
        print(f"{what:44} {min(took) * 1000:7.1f} ms   {min(took) / count * 1e6:6.2f} µs each", flush=True)

    async def fetched(columns: list[Column], *sections: Section) -> None:
        question = FetchQuestion(mailbox_id, 1, [(1, 2**31)], columns, list(sections))
        total = 0
        async for rows in front.fetch(question):
            total += len(rows)
        assert total == count

    async def opened() -> None:
        assert (await front.open_folder(OpenFolder(mailbox_id, "INBOX", True))).status == "ok"

    async def listed() -> None:
        await front.list_folders(MailboxQuestion(mailbox_id))

    async def searched(program: list[Any]) -> None:
        await front.search(SearchQuestion(mailbox_id, 1, program))

    await timed(f"open, {count} messages", opened)
    await timed("list folders", listed)
    await timed("fetch ENVELOPE", lambda: fetched(["ENVELOPE"]))
    await timed("fetch BODYSTRUCTURE", lambda: fetched(["BODYSTRUCTURE"]))
    await timed("fetch SIZE INTERNALDATE", lambda: fetched(["RFC822.SIZE", "INTERNALDATE"]))
    await timed(
        "fetch BODY[HEADER.FIELDS (from subject)]",
        lambda: fetched([], Section(text="HEADER.FIELDS", fields=["FROM", "SUBJECT"])),
    )
    await timed("fetch BODY[]", lambda: fetched([], Section()))
    await timed("search FROM", lambda: searched(["FROM", "jürgen"]))
    await timed("search BODY", lambda: searched(["BODY", "nothing of that"]))
    await front.aclose()


async def appends(url: str, count: int) -> None:
    front = MailstoreClient(url, "frontend-token", timeout=60, connections=8)
    front.proof_of = proof
    mailboxes = [new_id() for _ in range(8)]

    async def one(mailbox_id: UUID, messages: int) -> None:
        for n in range(messages):
            head = Append(mailbox_id, "Sent", ["\\Seen"], None, ROOM, 1, new_id())
            assert (await front.append(head, message(n))).status == "ok"

    began = time.perf_counter()
    await asyncio.gather(*(one(mailbox_id, count // 8) for mailbox_id in mailboxes))
    print(f"appended  {count / (time.perf_counter() - began):7.0f}/s   8 sessions", flush=True)
    await front.aclose()


async def main(count: int) -> None:
    configure("bench", "info")
    found = databases()
    with found.database(("bodystore", "bodies"), ("mailstore", "mailstore")) as dsn:
        async with service(dsn) as (parts, url):
            await filings(parts, url, count)
            await reading(parts, url, 10_000)
            await appends(url, 2000)


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        uvloop.run(load(sys.argv[2], sys.argv[3]))
    else:
        if "POSTRIDER_BENCH_LOG" not in os.environ:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the log, rendered but not kept
        uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
