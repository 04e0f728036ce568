"""Undelete under SIGKILL: each message is in its folder or recoverable, once."""

import asyncio
import threading
from collections import deque
from contextlib import suppress

import asyncpg

from bodystore import SameDatabase
from mailkit.errors import PostriderError
from mailkit.ids import new_id
from mailkit.process.clock import SystemClock
from mailkit.testing.speed import patient
from mailstore_api.admin import MailstoreAdmin
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import ExpungeQuestion, Filing, FilingList, StoreQuestion

from .conftest import ALL, PREFIX, ROOM, message
from .test_mailstore_process import port_of, proof, start

MESSAGES = 120
THERE = """
select count(*) as rows, count(distinct body_id) as bodies
  from (select body_id from mailstore.message union all select body_id from mailstore.recoverable) as t
"""
COUNTED = """
select usage - (select coalesce(sum(size), 0) from mailstore.message) as usage,
       recoverable_octets - (select coalesce(sum(size), 0) from mailstore.recoverable) as octets,
       recoverable_messages - (select count(*) from mailstore.recoverable) as messages,
       (select messages - (select count(*) from mailstore.message) from mailstore.folder where folder_id = 1) as folder
  from mailstore.mailbox
"""


async def test_killed_again_and_again_no_message_is_lost_or_there_twice(postgres):
    with postgres.database(("bodystore", "bodies"), ("mailstore", "mailstore")) as dsn:
        settings = {
            "database_url": dsn,
            "http_port": "0",
            "admin_token": "a",
            "token_frontend_mailstore": "f",
            "token_queue_mailstore": "q",
            "proof_key": "k" * 32,
        }
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=2)
        mailbox_id = new_id()
        bodies = [(new_id(), message(f"message {n}")) for n in range(MESSAGES)]
        await SameDatabase(pool).put(bodies, SystemClock().now())
        state = {"url": "", "rounds": 0, "done": False}

        async def churn():
            """Expunges all and undeletes all, without end; calls that fail are left."""
            while not state["done"]:
                front, admin = MailstoreClient(state["url"], "f", timeout=patient(5)), MailstoreAdmin(state["url"], "a")
                front.proof_of = proof
                try:
                    with suppress(PostriderError):
                        await front.store(StoreQuestion(mailbox_id, 1, ALL, "add", ["\\Deleted"], new_id()))
                        await front.expunge(ExpungeQuestion(mailbox_id, 1, new_id()))
                        async for _ in admin.undelete(str(mailbox_id)):
                            state["rounds"] += 1
                finally:
                    await front.aclose()
                    await admin.aclose()
                await asyncio.sleep(0)

        async def run():
            made = start("serve", **settings)
            state["url"] = f"http://127.0.0.1:{await asyncio.to_thread(port_of, made)}"
            threading.Thread(target=deque, args=(made.stderr, 0), daemon=True).start()  # a full pipe would stop it
            return made

        process = await run()
        try:
            queue = MailstoreClient(state["url"], "q", timeout=patient(20))
            items = [Filing(new_id(), mailbox_id, body_id, PREFIX, 1.7e9, ROOM, 1) for body_id, _ in bodies]
            assert {answer.status for answer in await queue.file(FilingList(items))} == {"filed"}
            await queue.aclose()
            task = asyncio.create_task(churn())
            for turn in range(4):
                before = state["rounds"]
                async with asyncio.timeout(patient(60)):
                    while state["rounds"] < before + 2:
                        await asyncio.sleep(0.003 * (turn + 1))
                process.kill()
                process.wait()
                there = await pool.fetchrow(THERE)
                assert (there["rows"], there["bodies"]) == (MESSAGES, MESSAGES)
                process = await run()
            state["done"] = True
            await task
            assert tuple(await pool.fetchrow(COUNTED)) == (0, 0, 0, 0)
        finally:
            process.kill()
            process.wait()
            await pool.close()
