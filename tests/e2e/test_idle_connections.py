"""Thousands of connections that say nothing cost little, and those who do say something are served meanwhile."""

import asyncio
import os
import resource
import ssl
import time
from collections.abc import Iterator

import pytest

from mailkit.testing.speed import patient
from tests.support.clients import STRANGER, inbox, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Account, Run, running, wait_for
from tests.support.world import World

EACH = 750
PORTS = ("SMTP", "POP3", "IMAP", "IMAPS")
#: Sessions in IDLE; POSTRIDER_TEST_IDLE=5000: the long form.
SESSIONS = int(os.environ.get("POSTRIDER_TEST_IDLE", "400"))
MAILBOXES = 20
MOST_KB = 60
FILES = 2 * max(EACH * len(PORTS), SESSIONS) + 500  # the processes of the run inherit the limit


@pytest.fixture(scope="module")
def files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= FILES, f"this test opens {FILES} files and the hard limit is {hard}: raise it (ulimit -Hn)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def own(world: World, files: None) -> Iterator[Run]:
    with running(**world.settings()) as run:
        yield run


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


def test_three_thousand_idle_connections(own: Run) -> None:
    user = own.mailbox(own.domain())
    services = {name: own.service(name) for name in ("smtp_gateway", "pop_imap_frontend")}
    inbox(own, user)
    before = {name: process.memory_info().rss for name, process in services.items()}
    with asyncio.Runner() as loop:
        connections = loop.run(crowd(own))
        assert len(connections) == EACH * len(PORTS) == 3000
        grown = {name: process.memory_info().rss - before[name] for name, process in services.items()}
        cpu = {name: sum(process.cpu_times()[:2]) for name, process in services.items()}
        started = time.monotonic()
        with smtp(own, STRANGER) as client:
            client.sendmail("a@far.example", [user.address], message("a@far.example", user.address))
        wait_for(lambda: inbox(own, user), 10)
        print(f"a message came through in {time.monotonic() - started:.2f} s among {len(connections)} idle connections")
        for name, count in (("smtp_gateway", EACH), ("pop_imap_frontend", 3 * EACH)):
            each = grown[name] / count / 1024
            spent = sum(services[name].cpu_times()[:2]) - cpu[name]
            print(f"{name}: {each:.1f} KB a connection, {spent:.2f} s of processor time meanwhile")
            assert each < MOST_KB
        for writer in connections:
            writer.close()
    wait_for(lambda: all(process.num_fds() < 200 for process in services.values()), 30, "every connection is gone")


async def idle(run: Run, user: Account, number: int, context: ssl.SSLContext) -> asyncio.StreamWriter:
    """One session in IDLE on INBOX."""
    reader, writer = await asyncio.open_connection(
        run.host("IMAPS"),
        run.port("IMAPS"),
        local_addr=(f"127.31.0.{number // 50 + 1}", 0),
        ssl=context,
        server_hostname=run.name,
    )
    for command, end in (
        (f"a LOGIN {user.login} {user.password}", b"a OK"),
        ("b SELECT INBOX", b"b OK"),
        ("c IDLE", b"+"),
    ):
        writer.write(f"{command}\r\n".encode())
        async with asyncio.timeout(patient(60)):
            while not (line := await reader.readline()).startswith(end):
                assert line, command
    return writer


async def idlers(run: Run, users: list[Account]) -> list[asyncio.StreamWriter]:
    context = tls_context(run)
    made: list[asyncio.StreamWriter] = []
    for start in range(0, SESSIONS, 50):
        numbers = range(start, min(start + 50, SESSIONS))
        made += await asyncio.gather(*(idle(run, users[number % len(users)], number, context) for number in numbers))
    return made


def test_sessions_in_idle_over_tls(own: Run) -> None:
    """Each costs the front end no more than a silent connection may, and mailstore nothing that grows with them."""
    domain = own.domain()
    users = [own.mailbox(domain, f"user{number}") for number in range(MAILBOXES)]
    _fresh_front_end(own)
    inbox(own, users[0])
    with asyncio.Runner() as loop:
        front, store = own.service("pop_imap_frontend"), own.service("mailstore")
        before = {process: process.memory_info().rss for process in (front, store)}
        sessions = loop.run(idlers(own, users))
        grown = {process: process.memory_info().rss - before[process] for process in (front, store)}
        each = grown[front] / SESSIONS / 1024
        print(f"{SESSIONS} sessions in IDLE: {each:.1f} KB each in the front end, {grown[store] >> 10} KB in mailstore")
        assert each < MOST_KB
        for writer in sessions:
            writer.close()
    wait_for(lambda: front.num_fds() < 200, 30, "every connection is gone")


def _fresh_front_end(run: Run) -> None:
    """Replace the process: one that had many connections fills the memory they left before it grows."""
    old = run.service("pop_imap_frontend")
    old.kill()

    def ready() -> bool:
        try:
            run.api("GET", "frontend", "/readyz")
        except OSError:
            return False
        return run.service("pop_imap_frontend").pid != old.pid

    wait_for(ready, 30, "another front end is ready")
