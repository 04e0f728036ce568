"""The process itself: migrate, serve, drain, refusals in one sentence, and SIGKILL under load."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bodystore import SameDatabase
from mailkit.errors import PostriderError
from mailkit.ids import new_id
from mailkit.process.clock import SystemClock
from mailkit.rpc.proof import LIFE, ProofKeys
from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import Append, Filing, FilingList, OpenFolder

from .conftest import PREFIX, ROOM, message, uids


def proof(mailbox_id):
    return ProofKeys([b"k" * 32]).sign(mailbox_id, 1, SystemClock().timestamp() + LIFE)


def start(command, **settings):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTRIDER_")}
    env = clean | {f"POSTRIDER_{name.upper()}": value for name, value in settings.items()}
    arguments = [sys.executable, "-m", "mailstore", command]
    return subprocess.Popen(
        arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent()
    )


def refusal(command, **settings):
    process = start(command, **settings)
    _, errors = process.communicate(timeout=patient(40))
    return process.returncode, errors


def port_of(process):
    """The port it serves on, once it says that it is ready."""
    return next(event["port"] for event in map(json.loads, process.stderr) if event["event"] == "ready")


async def test_it_migrates_serves_and_drains(postgres):
    with postgres.database() as dsn:
        code, text = await asyncio.to_thread(refusal, "serve", database_url=dsn, proof_key="k" * 32)
        assert code == 78 and "python -m mailstore migrate" in text
        for _ in range(2):
            assert (await asyncio.to_thread(refusal, "migrate", database_url=dsn))[0] == 0
        process = start(
            "serve", database_url=dsn, http_port="0", admin_token="t", token_frontend_mailstore="f", proof_key="k" * 32
        )
        try:
            url = f"http://127.0.0.1:{await asyncio.to_thread(port_of, process)}"

            async def nothing():
                yield []
                await asyncio.Event().wait()

            feed = MailstoreClient(url, "f").feed(nothing())
            assert (await anext(feed)).everything
            async with httpx.AsyncClient(base_url=url, headers={"authorization": "Bearer t"}) as http:
                assert (await http.get("/readyz")).status_code == 200
                assert (await http.get(f"/v1/mailboxes/{new_id()}")).json()["usage"] == 0
                names = {family.name for family in text_string_to_metric_families((await http.get("/metrics")).text)}
                assert {
                    "postrider_mailstore_filed",
                    "postrider_mailstore_batch_messages",
                    "postrider_mailstore_filing_seconds",
                    "postrider_mailstore_feeds_open",
                } <= names
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0  # an open feed does not hold it
            await feed.aclose()
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"database_url": "not a url", "proof_key": "k" * 32}, "not a Postgres URL"),
        ({"database_url": "postgresql://h/d"}, "POSTRIDER_PROOF_KEY"),
        ({"database_url": "postgresql://h/d", "proof_key": f"{'k' * 32},short"}, "POSTRIDER_PROOF_KEY"),
        ({"queue_lifetime_seconds": "soon"}, "POSTRIDER_QUEUE_LIFETIME_SECONDS"),
        ({"database_pol": "1"}, "POSTRIDER_DATABASE_POL"),
        ({"clock_offset_seconds": "60"}, "single-machine"),
    ],
)
def test_what_it_cannot_run_with_is_one_sentence(settings, sentence):
    code, text = refusal("serve", **settings)
    assert code == 78 and sentence in text and len(text.strip().splitlines()) == 1


async def test_killed_under_load_nothing_answered_is_lost_or_there_twice(postgres):
    """Filings and appends are repeated with their ids until answered; the process is killed six times meanwhile."""
    with postgres.database(("bodystore", "bodies"), ("mailstore", "mailstore")) as dsn:
        settings = {
            "database_url": dsn,
            "http_port": "0",
            "token_frontend_mailstore": "f",
            "token_queue_mailstore": "q",
            "proof_key": "k" * 32,
        }
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=2)
        mailboxes = [new_id() for _ in range(5)]
        bodies = [(new_id(), message(f"filed {n}")) for n in range(600)]
        await SameDatabase(pool).put(bodies, SystemClock().now())
        state = {"url": "", "done": False}
        expected = dict.fromkeys(mailboxes, 0)

        async def answered(token, call):
            """Repeats until there is an answer."""
            async with asyncio.timeout(patient(120)):
                while True:
                    client = MailstoreClient(state["url"], token, timeout=patient(5))
                    client.proof_of = proof
                    try:
                        return await call(client)
                    except PostriderError:
                        await asyncio.sleep(0.02)
                    finally:
                        await client.aclose()

        async def file(part):
            for start in range(0, len(part), 6):
                items = [
                    Filing(new_id(), mailboxes[n % 5], body_id, PREFIX, 1.7e9, ROOM, 1)
                    for n, (body_id, _) in enumerate(part[start : start + 6])
                ]
                while items:  # one whose mailbox another session held is answered `failed`, and filed again
                    answers = await answered("q", lambda client, items=items: client.file(FilingList(items)))
                    assert {answer.status for answer in answers} <= {"filed", "already", "failed"}
                    done = [item for item, a in zip(items, answers, strict=True) if a.status != "failed"]
                    items = [item for item in items if item not in done]
                    for item in done:
                        expected[item.mailbox_id] += 1

        async def append(mailbox_id):
            while not state["done"]:
                head = Append(mailbox_id, "INBOX", [], None, ROOM, 1, new_id())
                answer = await answered("f", lambda client, head=head: client.append(head, message("appended")))
                assert answer.status == "ok"
                expected[mailbox_id] += 1

        async def run():
            made = start("serve", **settings)
            state["url"] = f"http://127.0.0.1:{await asyncio.to_thread(port_of, made)}"
            threading.Thread(target=deque, args=(made.stderr, 0), daemon=True).start()  # a full pipe would stop it
            return made

        process = await run()
        try:
            writers = [asyncio.create_task(file(bodies[n::4])) for n in range(4)]
            appenders = [asyncio.create_task(append(mailbox_id)) for mailbox_id in mailboxes[:3]]
            total = 0
            for _ in range(6):
                async with asyncio.timeout(patient(60)):
                    while sum(expected.values()) < total + 60 and not all(writer.done() for writer in writers):
                        await asyncio.sleep(0.005)
                total = sum(expected.values())
                process.kill()
                process.wait()
                process = await run()
            await asyncio.gather(*writers)
            state["done"] = True
            await asyncio.gather(*appenders)
            client = MailstoreClient(state["url"], "f")
            client.proof_of = proof
            for mailbox_id in mailboxes:
                there = uids((await client.open_folder(OpenFolder(mailbox_id, "INBOX", True))).uids)
                assert there == list(range(1, expected[mailbox_id] + 1))
            await client.aclose()
            wrong = await pool.fetch(
                "select id from mailstore.mailbox b where usage <> "
                "(select coalesce(sum(size), 0) from mailstore.message m where m.mailbox_id = b.id)"
            )
            assert not wrong
        finally:
            process.kill()
            process.wait()
            await pool.close()
