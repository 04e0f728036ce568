"""Old bodies on a real S3 server, SeaweedFS: `make objectstore` runs their tests against it and measures.

What moving costs, how many requests and objects, and a body's time to be read: recent, from a pack, and from memory.

    python -m tests.bench.objects [MESSAGES]
"""

import asyncio
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table

from bodystore import Mover, SameDatabase
from bodystore.objects import SECONDS
from bodystore.testing import client, settings
from mailkit.ids import id_floor
from mailkit.testing.postgres import databases
from mailkit.testing.speed import patient
from tests.bench.mail import texts
from tests.cluster.kit.build import binaries

#: Octets of a message: a text that compresses, and an attachment that does not.
ATTACHMENT = 60_000
READS = 300
LOGGED = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
TESTS = ("libs/bodystore/tests/test_bodystore_moving.py", "tests/e2e/test_old_bodies.py")

_USERS = (
    '{"identities":[{"name":"postrider","credentials":[{"accessKey":"%s","secretKey":"%s"}],'
    '"actions":["Admin","Read","Write","List"]}]}'
)


@contextmanager
def seaweed() -> Iterator[str]:
    """Run a SeaweedFS with an empty bucket; yield its URL."""
    weed = binaries(["weed"])["weed"]
    given = settings("http://127.0.0.1")
    master, volume, filer, s3 = (_free() for _ in range(4))
    with tempfile.TemporaryDirectory(prefix="postrider-weed-") as folder, ExitStack() as ended:
        users = Path(folder, "users.json")
        users.write_text(_USERS % (given["POSTRIDER_OBJECTS_KEY_ID"], given["POSTRIDER_OBJECTS_SECRET"]))
        log = ended.enter_context(Path(folder, "weed.log").open("w"))
        process = subprocess.Popen(
            [
                weed,
                "server",
                f"-dir={folder}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                f"-master.port={master}",
                f"-volume.port={volume}",
                "-filer",
                f"-filer.port={filer}",
                "-s3",
                f"-s3.port={s3}",
                f"-s3.config={users}",
                "-volume.max=50",
                "-master.volumeSizeLimitMB=256",
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        ended.callback(process.wait)
        ended.callback(process.terminate)
        bucket = f"s3.bucket.create -name {given['POSTRIDER_OBJECTS_BUCKET']}\n"
        shell = [str(weed), "shell", f"-master=127.0.0.1:{master}", f"-filer=127.0.0.1:{filer}"]
        end = time.monotonic() + patient(60)
        while True:
            made = subprocess.run(shell, input=bucket, capture_output=True, text=True, cwd=folder, timeout=patient(60))
            if "created bucket" in made.stdout + made.stderr:
                break
            if time.monotonic() > end:
                raise SystemExit(f"SeaweedFS did not start:\n{made.stdout}{made.stderr}")
        yield f"http://127.0.0.1:{s3}"


async def measure(dsn: str, url: str, messages: int) -> Table:
    """Store `messages` bodies, move them, read them; return the figures."""
    chance = random.Random(1)
    put = datetime.now(UTC) - timedelta(days=3)
    bodies = [
        (
            UUID(int=id_floor(put.timestamp()).int | n << 64 | chance.getrandbits(62)),
            text + chance.randbytes(ATTACHMENT),
        )
        for n, text in enumerate(islice(cycle(texts(messages)), messages))
    ]
    objects = client(url)
    table = Table("what", "figure", title=f"{messages} messages, {sum(len(text) for _, text in bodies) / 1e6:.0f} MB")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        before = await pool.fetchval(LOGGED)
        store = SameDatabase(pool, objects)
        for start in range(0, messages, 100):
            await store.put(bodies[start : start + 100], put)
        stored = await pool.fetchval(LOGGED) - before
        await _times(table, store, [body_id for body_id, _ in bodies], "recent, from Postgres", chance)
        mover = Mover(pool, objects, age=timedelta(days=1), keep=timedelta(days=30))
        started = time.perf_counter()
        while await mover.move(datetime.now(UTC)):
            pass
        seconds = time.perf_counter() - started
        logged = await pool.fetchval(LOGGED) - before - stored
        figures = await mover.figures()
        samples = [sample for metric in SECONDS.collect() for sample in metric.samples]
        requests = sum(sample.value for sample in samples if sample.name.endswith("_count"))
        million = 1e6 / messages
        table.add_row("moved", f"{messages / seconds:,.0f}/s, {figures.octets / seconds / 1e6:.0f} MB/s")
        table.add_row("WAL a message: stored, moved", f"{stored // messages:,}, {logged // messages:,} octets")
        table.add_row("objects a million messages", f"{figures.packs * million:,.0f}")
        table.add_row("requests a million messages", f"{requests * million:,.0f} (one object each: 2,000,000)")
        old = SameDatabase(pool, objects)
        taken = await _times(table, old, [body_id for body_id, _ in bodies], "old, from the object store", chance)
        await _times(table, old, taken[-READS // 2 :], "the same again, from memory", chance)
        by_id = dict(bodies)
        for start in range(0, messages, 100):
            part = [body_id for body_id, _ in bodies[start : start + 100]]
            if await old.read_many(part) != {body_id: by_id[body_id] for body_id in part}:
                raise SystemExit("a body is not what was stored")
    return table


async def _times(table: Table, store: SameDatabase, ids: list[UUID], what: str, chance: random.Random) -> list[UUID]:
    """Read some bodies, one after the other, and add a row; return their ids."""
    taken, found = chance.sample(ids, min(READS, len(ids))), list[float]()
    for body_id in taken:
        started = time.perf_counter()
        await store.read(body_id)
        found.append(1000 * (time.perf_counter() - started))
    found.sort()
    table.add_row(f"read {what}", f"p50 {statistics.median(found):.1f} ms, p99 {found[int(len(found) * 0.99)]:.1f} ms")
    return taken


def _free() -> int:
    """Return a port that is free, and 10,000 above too: SeaweedFS takes both."""
    while True:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            number: int = low.getsockname()[1]
            try:
                high.bind(("127.0.0.1", number + 10_000))
            except (OSError, OverflowError):
                continue
            return number


def main() -> None:
    """Run the tests, then measure."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with seaweed() as url:
        environment = os.environ | {"POSTRIDER_TEST_OBJECTS": url}
        status = subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", "any_store", *TESTS], env=environment)
        with databases().database(("bodystore", "bodies")) as dsn:
            Console().print(asyncio.run(measure(dsn, url, messages)))
    sys.exit(status.returncode)


if __name__ == "__main__":
    main()
