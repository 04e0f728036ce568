"""The real application on a real socket and a real database; only the clock and the hash's cost are the test's."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import argon2
import asyncpg
import pytest
from pydantic import SecretStr

from auth.config import AuthSettings
from auth.login.passwords import HashQueue, Passwords
from auth.parts import Parts, assemble
from auth.service import web
from auth_api import wire
from auth_api.admin import AuthAdmin
from auth_api.client import AuthClient
from mailkit.ids import new_id
from mailkit.postgres.pool import PLANNER
from mailkit.process.clock import ManualClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.http_server import HttpSide
from mailkit.testing.postgres import Databases
from mailkit.testing.postgres import postgres as postgres

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse"


class CountingHasher:
    """A cheap argon2id that counts its computations."""

    def __init__(self) -> None:
        self._argon = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.computed = 0

    def hash(self, password: str) -> str:
        self.computed += 1
        return self._argon.hash(password)

    def verify(self, hash: str, password: str) -> bool:
        self.computed += 1
        return self._argon.verify(hash, password)

    def check_needs_rehash(self, hash: str) -> bool:
        return self._argon.check_needs_rehash(hash)


@dataclass
class Running:
    """A running auth service and what tests do with it all the time."""

    url: str
    pool: asyncpg.Pool
    questions: asyncpg.Pool
    clock: ManualClock
    hasher: CountingHasher
    gateway: AuthClient
    frontend: AuthClient
    admin: AuthAdmin
    parts: Parts

    async def login(
        self,
        login: str,
        password: str = PASSWORD,
        *,
        protocol: str = "imap",
        client: str | None = "192.0.2.7",
        operation: UUID | None = None,
    ) -> wire.LoginAnswer:
        question = wire.Login(operation or new_id(), protocol, login, password, client)  # type: ignore[arg-type]
        caller = self.gateway if protocol == "smtp" else self.frontend
        return (await caller.logins([question]))[0]

    async def rcpt(
        self, address: str, *, mail_from: str = "", client: str | None = "192.0.2.7", login: UUID | None = None
    ) -> wire.RecipientAnswer:
        return (await self.gateway.recipients([wire.RecipientQuestion(address, mail_from, client, login)]))[0]

    async def mail(
        self, mail_from: str, *, client: str | None = "192.0.2.7", login: UUID | None = None
    ) -> wire.SenderAnswer:
        return (await self.gateway.senders([wire.SenderQuestion(mail_from, client, login)]))[0]

    async def make(self, address: str, password: str | None = PASSWORD) -> UUID:
        """A mailbox, its domain with it when it is not there; returns its id."""
        domain = address.rpartition("@")[2]
        if domain not in {record["name"] for record in await self.admin.domains()}:
            await self.admin.add_domain(domain)
        return UUID((await self.admin.add_mailbox(address, password=password))["id"])

    def pass_time(self, seconds: float) -> None:
        self.clock.current += timedelta(seconds=seconds)


@pytest.fixture
def database(postgres: Databases) -> Iterator[str]:
    with postgres.database(("auth", "auth")) as dsn:
        yield dsn


@pytest.fixture
def settings(request: pytest.FixtureRequest, database: str) -> AuthSettings:
    """`@pytest.mark.parametrize("settings", [{...}], indirect=True)` adds to these."""
    return AuthSettings(
        database_url=SecretStr(database),
        http_port=0,
        admin_token=SecretStr("admin-token"),
        token_gateway_auth=SecretStr("gateway-token"),
        token_frontend_auth=SecretStr("frontend-token"),
        token_queue_auth=SecretStr("queue-token"),
        **(
            {"proof_key": SecretStr("k" * 32), "dkim_of_new_domains": False, "srs_domain": "srs.test"}
            | getattr(request, "param", {})
        ),
    )


@pytest.fixture
async def auth(settings: AuthSettings) -> AsyncIterator[Running]:
    dsn = settings.database_url.get_secret_value()
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=8)
    questions = await asyncpg.create_pool(dsn, min_size=1, max_size=4, server_settings=PLANNER)
    clock, hasher, queue = ManualClock(START), CountingHasher(), HashQueue(settings.hash_queue, 2)
    life = Lifecycle()
    parts = assemble(settings, pool, questions, clock, Passwords(hasher), queue)
    side = HttpSide(web(settings, life, parts), "127.0.0.1", 0)
    await side.start()
    life.ready = True
    url = f"http://127.0.0.1:{side.port}"
    running = Running(
        url,
        pool,
        questions,
        clock,
        hasher,
        AuthClient(url, "gateway-token"),
        AuthClient(url, "frontend-token"),
        AuthAdmin(url, "admin-token"),
        parts,
    )
    try:
        yield running
    finally:
        for client in (running.gateway, running.frontend, running.admin):
            await client.aclose()
        await side.stop()
        queue.close()
        await pool.close()
        await questions.close()
