"""Thousands of connections that say nothing cost little, and those who do say something are served meanwhile."""

import asyncio
import resource
import ssl
import time
from collections.abc import Iterator

import pytest

from mailkit.testing.speed import patient
from tests.support.clients import STRANGER, inbox, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Run, running, wait_for
from tests.support.world import World

EACH = 750
PORTS = ("SMTP", "POP3", "IMAP", "IMAPS")
FILES = 2 * EACH * len(PORTS) + 500  # the processes of the run inherit the limit


@pytest.fixture
def files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= FILES, f"this test opens {FILES} files and the hard limit is {hard}: raise it (ulimit -Hn)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def connect(run: Run, port: str, number: int, context: ssl.SSLContext) -> asyncio.StreamWriter:
    """One client that has heard the greeting; each fifty have an address of their own."""
    source = f"127.30.{PORTS.index(port)}.{number // 50 + 1}"
    tls = {"ssl": context, "server_hostname": run.name} if port.endswith("S") else {}
    reader, writer = await asyncio.open_connection(run.host(port), run.port(port), local_addr=(source, 0), **tls)
    assert await asyncio.wait_for(reader.readline(), patient(30))
    return writer


async def crowd(run: Run) -> list[asyncio.StreamWriter]:
    context = tls_context(run)
    made: list[asyncio.StreamWriter] = []
    for start in range(0, EACH, 50):
        some = [connect(run, port, number, context) for port in PORTS for number in range(start, start + 50)]
        made += await asyncio.gather(*some)
    return made


def test_three_thousand_idle_connections(world: World, files: None) -> None:
    with running(**world.settings()) as run:
        user = run.mailbox(run.domain())
        services = {name: run.service(name) for name in ("smtp_gateway", "pop_imap_frontend")}
        inbox(run, user)
        before = {name: process.memory_info().rss for name, process in services.items()}
        with asyncio.Runner() as loop:
            connections = loop.run(crowd(run))
            assert len(connections) == EACH * len(PORTS) == 3000
            grown = {name: process.memory_info().rss - before[name] for name, process in services.items()}
            cpu = {name: sum(process.cpu_times()[:2]) for name, process in services.items()}
            started = time.monotonic()
            with smtp(run, STRANGER) as client:
                client.sendmail("a@far.example", [user.address], message("a@far.example", user.address))
            wait_for(lambda: inbox(run, user), 10)
            print(
                f"a message came through in {time.monotonic() - started:.2f} s among {len(connections)} idle connections"
            )
            for name, count in (("smtp_gateway", EACH), ("pop_imap_frontend", 3 * EACH)):
                each = grown[name] / count / 1024
                spent = sum(services[name].cpu_times()[:2]) - cpu[name]
                print(f"{name}: {each:.1f} KB a connection, {spent:.2f} s of processor time meanwhile")
                assert each < 60
            for writer in connections:
                writer.close()
        wait_for(lambda: all(process.num_fds() < 200 for process in services.values()), 30, "every connection is gone")
