"""`make bench-logins`: repeated logins and RCPT look-ups per second of a core of auth, with 20,000 mailboxes.

A real service on a real Postgres, asked as smtp-gateway and pop-imap-frontend ask it: lists of what piled up, by mailboxes at random.
The rate is of auth's own processor time, which is what a core of it holds; Postgres's, of all its processes, is beside it.
"""

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import asyncpg
import psutil

from auth.login.password_cache import PasswordCache
from auth.login.passwords import argon2id
from auth_api import wire
from auth_api.admin import AuthAdmin
from auth_api.client import AuthClient
from mailkit.errors import Unavailable
from mailkit.ids import new_id
from mailkit.rpc.proof import ProofKeys
from mailkit.testing.parent import end_with_parent
from mailkit.testing.postgres import databases, run_apart

BOXES = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
SECONDS = 6.0
ASKERS = 4
PASSWORD, KEY = "correct horse", "k" * 32
REMEMBER = "insert into auth.remembered_passwords (mailbox_id, tag, made_at) select *, now() from unnest($1::uuid[], $2::bytea[])"
ADD = """
with d as (insert into auth.domains (id, name, created_at)
           select gen_random_uuid(), 'd' || n || '.test', now() from generate_series(0, 199) n returning name)
insert into auth.mailboxes (id, address, domain, password_hash, quota_limit, created_at)
select gen_random_uuid(), 'u' || n || '@d' || n % 200 || '.test', 'd' || n % 200 || '.test', $2, 104857600, now()
  from generate_series(0, $1 - 1) n, (select count(*) from d) made
"""


def address(n: int) -> str:
    return f"u{n}@d{n % 200}.test"


def processor_seconds(processes: list[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in processes if each.is_running())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Measured:
    """A running auth and its database's processes."""

    def __init__(self, service: int, dsn: str) -> None:
        self._service = psutil.Process(service)
        self._dsn = dsn

    async def _backends(self) -> list[psutil.Process]:
        connection = await asyncpg.connect(self._dsn)
        try:
            rows = await connection.fetch(
                "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            )
        finally:
            await connection.close()
        return [psutil.Process(row["pid"]) for row in rows]

    async def measure(self, name: str, size: int, ask: Callable[[], Awaitable[object]]) -> float:
        """Ask lists of `size` for SECONDS, ASKERS at a time; print and return the rate of a core of auth."""
        backends = await self._backends()
        asked, end = 0, time.monotonic() + SECONDS
        before = processor_seconds([self._service]), processor_seconds(backends), time.monotonic()

        async def asker() -> None:
            nonlocal asked
            while time.monotonic() < end:
                await ask()
                asked += size

        await asyncio.gather(*(asker() for _ in range(ASKERS)))
        own = processor_seconds([self._service]) - before[0]
        database = processor_seconds(backends) - before[1]
        wall = time.monotonic() - before[2]
        print(
            f"{name:46} {asked / own:9,.0f} /s of a core of auth, {asked / database:9,.0f} /s of one of Postgres, {asked / wall:9,.0f} /s here"
        )
        return asked / own


async def work(url: str, service: int, dsn: str) -> None:
    admin, gateway, frontend = AuthAdmin(url, "a"), AuthClient(url, "g"), AuthClient(url, "f")
    while True:
        try:
            await admin.add_domain("here.test")
            break
        except Unavailable:
            await asyncio.sleep(0.1)
    connection = await asyncpg.connect(dsn)
    await connection.execute(ADD, BOXES, argon2id().hash(PASSWORD))
    memory = PasswordCache(ProofKeys([KEY.encode()]).derived(b"remembered passwords"))
    boxes = await connection.fetch("select id, address from auth.mailboxes where address like 'u%'")
    tags = [
        memory.tag(box["id"], box["address"], PASSWORD, 1) for box in boxes
    ]  # as after a login: 20,000 hashes take minutes
    await connection.execute(REMEMBER, [box["id"] for box in boxes], tags)
    await connection.execute("analyze")
    await connection.close()

    def logins(protocol: str, numbers: list[int]) -> list[wire.Login]:
        return [
            wire.Login(new_id(), protocol, address(n), PASSWORD, f"192.0.{n % 100}.{n % 250}")  # type: ignore[arg-type]
            for n in numbers
        ]

    def some(size: int) -> list[int]:
        return random.choices(range(BOXES), k=size)

    for at in range(0, BOXES, 20):  # the first login of each from its network
        answers = await frontend.logins(logins("imap", list(range(at, min(at + 20, BOXES)))))
        assert {answer.outcome for answer in answers} == {"ok"}
    measured = Measured(service, dsn)
    for size in (1, 20):
        await measured.measure(
            f"repeated logins, SMTP, lists of {size}", size, lambda s=size: gateway.logins(logins("smtp", some(s)))
        )
        await measured.measure(
            f"repeated logins, IMAP with grant, lists of {size}",
            size,
            lambda s=size: frontend.logins(logins("imap", some(s))),
        )
    for size in (1, 20, 100):
        await measured.measure(
            f"RCPT look-ups, lists of {size}",
            size,
            lambda s=size: gateway.recipients(
                [wire.RecipientQuestion(address(n), "a@far.test", "198.51.100.1", None) for n in some(s)]
            ),
        )
    for client in (admin, gateway, frontend):
        await client.aclose()


def main() -> None:
    with databases().database(("auth", "auth")) as dsn:
        port = _free_port()
        names = {
            "DATABASE_URL": dsn,
            "HTTP_PORT": str(port),
            "ADMIN_TOKEN": "a",
            "TOKEN_GATEWAY_AUTH": "g",
            "TOKEN_FRONTEND_AUTH": "f",
            "PROOF_KEY": KEY,
            "LOG_LEVEL": "warning",
        }
        env = os.environ | {f"POSTRIDER_{name}": value for name, value in names.items()}
        service = subprocess.Popen([sys.executable, "-m", "auth"], env=env, preexec_fn=end_with_parent())
        try:
            run_apart(work(f"http://127.0.0.1:{port}", service.pid, dsn))
        finally:
            service.terminate()
            service.wait(10)


if __name__ == "__main__":
    main()
