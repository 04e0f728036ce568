"""The process itself: migrate, serve, drain, refusals in one sentence, and SIGKILL under load."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from mailkit.errors import PostriderError
from mailkit.ids import new_id
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import add_endpoint, create_app
from mailkit.rpc.authority import Tokens
from mailkit.rpc.http_server import HttpSide
from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from mailstore_api.wire import FilingAnswer, FilingAnswers, FilingList
from queue_worker_api.client import QueueClient
from queue_worker_api.wire import Submission, SubmissionRecipient


def start(command, **settings):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTRIDER_")}
    env = clean | {f"POSTRIDER_{name.upper()}": value for name, value in settings.items()}
    arguments = [sys.executable, "-m", "queue_worker", command]
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
        code, text = await asyncio.to_thread(refusal, "serve", database_url=dsn)
        assert code == 78 and "python -m queue_worker migrate" in text
        for _ in range(2):
            assert (await asyncio.to_thread(refusal, "migrate", database_url=dsn))[0] == 0
        process = start("serve", database_url=dsn, http_port="0", admin_token="t", helo_name="mx.here.test")
        try:
            url = f"http://127.0.0.1:{await asyncio.to_thread(port_of, process)}"
            async with httpx.AsyncClient(base_url=url, headers={"authorization": "Bearer t"}) as http:
                assert (await http.get("/readyz")).status_code == 200
                assert (await http.get("/v1/queue")).json() == []
                names = {family.name for family in text_string_to_metric_families((await http.get("/metrics")).text)}
                assert {
                    "postrider_queue_accepted",
                    "postrider_queue_in_doubt",
                    "postrider_queue_delivery_seconds",
                } <= names
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"database_url": "not a url"}, "not a Postgres URL"),
        ({"queue_lifetime_seconds": "soon"}, "POSTRIDER_QUEUE_LIFETIME_SECONDS"),
        ({"queue_lifetme_seconds": "1"}, "POSTRIDER_QUEUE_LIFETME_SECONDS"),
    ],
)
def test_what_it_cannot_run_with_is_one_sentence(settings, sentence):
    code, text = refusal("serve", **settings)
    assert code == 78 and sentence in text and len(text.strip().splitlines()) == 1


class Mailstore:
    """A mailstore of a few lines behind a real socket: files each (mailbox, queue id) once."""

    def __init__(self):
        self.filed = {}

    async def file(self, question):
        answers = []
        for item in question.items:
            key = (item.mailbox_id, item.queue_id)
            answers.append(FilingAnswer("already" if key in self.filed else "filed"))
            self.filed[key] = item.body_id
        return FilingAnswers(answers)


async def test_killed_under_load_again_and_again_nothing_is_lost_or_filed_twice(database):
    store, life = Mailstore(), Lifecycle()
    app = create_app("mailstore", life, tokens=Tokens({"queue": SecretStr("q")}))
    add_endpoint(app, "/v1/filings", FilingList, store.file, "queue")
    side = HttpSide(app, "127.0.0.1", 0)
    await side.start()
    settings = {
        "database_url": database,
        "http_port": "0",
        "token_gateway_queue": "g",
        "token_queue_mailstore": "q",
        "mailstore_url": f"http://127.0.0.1:{side.port}",
        "helo_name": "mx.here.test",
        "log_level": "info",
    }
    answered, sent = {}, 0
    for turn in range(4):
        process = start("serve", **settings)
        client = QueueClient(f"http://127.0.0.1:{await asyncio.to_thread(port_of, process)}", "g", timeout=patient(5))
        reading = asyncio.create_task(asyncio.to_thread(process.stderr.read))
        stop = asyncio.Event()

        async def load(client=client, stop=stop):
            nonlocal sent
            while not stop.is_set():
                box = [SubmissionRecipient("b@here.test", "b@here.test", new_id(), 1 << 30, 1)]
                items = [Submission(new_id(), "a@far.test", box, b"Subject: %d\r\n\r\n" % n) for n in range(20)]
                sent += len(items)
                try:
                    for item, answer in zip(items, await client.submit(items), strict=True):
                        if answer.status == "queued":
                            answered[answer.queue_id] = item
                except PostriderError:
                    return

        loads = [asyncio.create_task(load()) for _ in range(3)]
        goal = len(answered) + 300
        async with asyncio.timeout(patient(60)):
            while len(answered) < goal:
                await asyncio.sleep(0.005)
        if turn < 3:
            process.kill()
        stop.set()
        await asyncio.gather(*loads)
        await client.aclose()
        if turn < 3:
            await asyncio.to_thread(process.wait)
            await reading
    pool = await asyncpg.create_pool(database, min_size=1, max_size=2)
    try:
        # the leases of the dead run out now
        await pool.execute("update queue.recipient set due = due - interval '60 s' where state = 'claimed'")
        async with asyncio.timeout(patient(60)):
            while await pool.fetchval("select exists (select from queue.message)"):
                await asyncio.sleep(0.05)
        assert {queue_id for _, queue_id in store.filed} >= set(answered)
        assert len(store.filed) == len({queue_id for _, queue_id in store.filed}) <= sent
        bodies = {row["id"] for row in await pool.fetch("select id from bodies.body")}
        assert set(store.filed.values()) <= bodies
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    finally:
        process.kill()
        await reading
        await pool.close()
        await side.stop()
