"""Workers on a real database, with a clock, a mailstore and a remote world that the test commands."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import pytest
from pydantic import SecretStr

from auth_api.client import AuthClient
from auth_api.fake import FakeAuth
from bodystore import BodyStore, SameDatabase
from mailkit.ids import new_id
from mailkit.postgres.pool import create_pool
from mailkit.process.clock import ManualClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.http_server import HttpSide
from mailkit.testing.postgres import Databases
from mailkit.testing.postgres import postgres as postgres
from mailstore_api.client import MailstoreClient
from mailstore_api.fake import FakeFilings
from queue_worker.config import QueueSettings
from queue_worker.couriers import Admit, Relay, RemoteCourier, RemoteMessage, Report
from queue_worker.models import Outcome, Result
from queue_worker.parts import Parts, assemble
from queue_worker.service import SESSION, web
from queue_worker.tls.policies import Policies
from queue_worker_api.admin import QueueAdmin
from queue_worker_api.wire import Submission, SubmissionAnswer, SubmissionRecipient

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = b"Received: by mx\r\nFrom: a@far.test\r\nSubject: hello\r\n\r\nHello.\r\n"


class Killed(BaseException):
    """SIGKILL at this line: nothing after it runs."""


@dataclass
class Received:
    """What the sink took with a final dot."""

    domain: str
    mail_from: str
    recipients: list[str]
    body: bytes


class RecordingCourier(RemoteCourier):
    """A remote world: takes everything, unless `says` gives another outcome for an address."""

    def __init__(self) -> None:
        self.policies = Policies()
        self.got: list[Received] = []
        self.groups: list[tuple[str, int]] = []
        self.relays: list[Relay | None] = []
        self.hosts_of: dict[str, str] = {}
        self.says: Callable[[str], tuple[Outcome, str, str] | None] = lambda address: None
        self.before_dot_hook: Callable[[], None] = lambda: None
        self.after_dot_hook: Callable[[], None] = lambda: None

    async def deliver(
        self,
        domain: str,
        messages: Sequence[RemoteMessage],
        report: Report,
        relay: Relay | None = None,
        admit: Admit | None = None,
    ) -> None:
        if admit is not None and not admit([self.hosts_of.get(domain, f"mx.{domain}")]):
            report([Result(r, Outcome.postponed, "", "", reached=False) for m in messages for r in m.recipients])
            return
        self.groups.append((domain, len(messages)))
        self.relays.append(relay)
        for message in messages:
            taken = []
            for recipient in message.recipients:
                said = self.says(recipient.address)
                if said is None:
                    taken.append(recipient)
                else:
                    away = said[1] == "4.4.1"
                    host = None if away else "mx.far.test"
                    said_text = said[2] if host and said[0] is Outcome.deferred else None
                    report([Result(recipient, *said, remote_host=host, diagnostic=said_text, reached=not away)])
            if not taken:
                continue
            body = await message.load_body()
            self.before_dot_hook()
            if not await message.before_dot():
                report([Result(r, Outcome.returned, "4.3.0", "the attempt was lost") for r in taken])
                continue
            self.got.append(Received(domain, message.mail_from, [r.address for r in taken], body))
            self.after_dot_hook()
            report([Result(r, Outcome.delivered, "2.0.0", "250 ok", "mx.far.test", "250 ok") for r in taken])

    async def stop(self, grace: float) -> None:
        return


@dataclass
class QueueWithWorkers:
    """The queue's database and everything around it."""

    pool: asyncpg.Pool
    settings: QueueSettings
    bodies: BodyStore
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    mailstore: FakeFilings = field(default_factory=FakeFilings)
    sink: RecordingCourier = field(default_factory=RecordingCourier)
    auth: FakeAuth = field(default_factory=FakeAuth)

    def worker(self) -> Parts:
        """A worker of its own; several may share the queue."""
        return assemble(
            self.settings,
            self.pool,
            self.bodies,
            self.clock,
            new_id(),
            cast(MailstoreClient, self.mailstore),
            self.sink,
            cast(AuthClient, self.auth),
        )

    def pass_time(self, seconds: float) -> None:
        self.clock.current += timedelta(seconds=seconds)

    async def submit(self, *items: Submission, worker: Parts | None = None) -> list[SubmissionAnswer]:
        return await (worker or self.worker()).intake.take(items)

    async def work(self, worker: Parts | None = None) -> Parts:
        """One round of everything that is due."""
        worker = worker or self.worker()
        while await worker.filer.turn():
            pass
        await worker.delivery.walk.step()
        while await worker.delivery.turn():
            await worker.delivery.settled(20)
        await worker.delivery.settled(20)
        while await worker.filer.turn():  # bounces to mailboxes of ours
            pass
        return worker

    async def deferred(
        self,
        *recipients: SubmissionRecipient | str,
        sender: str = "a@sender.test",
        reply: str = "450 try later",
        **more: Any,
    ) -> str:
        """Submit a message that every host puts off; its id."""
        self.sink.says = lambda address: (Outcome.deferred, "4.2.0", reply)
        (answer,) = await self.submit(self.message(*recipients, sender=sender, **more))
        await self.work()
        assert answer.queue_id
        return answer.queue_id.hex

    @staticmethod
    def message(
        *recipients: SubmissionRecipient | str, body: bytes = BODY, sender: str = "a@far.test", **more: Any
    ) -> Submission:
        """A submission; strings are remote addresses."""
        given = [SubmissionRecipient(r, r) if isinstance(r, str) else r for r in recipients]
        return Submission(new_id(), sender, given, body, **more)

    @staticmethod
    def mailbox(address: str, *, original: str | None = None) -> SubmissionRecipient:
        """A recipient with a mailbox here."""
        return SubmissionRecipient(address, original or address, new_id(), 25 * 1024 * 1024, 1)

    def kill(self) -> None:
        """For a hook: the process dies here."""
        raise Killed

    async def rows(self, table: str) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.pool.fetch(f"select * from queue.{table} order by 1, 2")]

    async def the(self, table: str) -> dict[str, Any]:
        """The only row of a table."""
        (row,) = await self.rows(table)
        return row


@pytest.fixture
def database(postgres: Databases) -> Iterator[str]:
    with postgres.database(("bodystore", "bodies"), ("queue_worker", "queue")) as dsn:
        yield dsn


@pytest.fixture
def settings(database: str) -> QueueSettings:
    return QueueSettings(
        database_url=SecretStr(database),
        http_port=0,
        admin_token=SecretStr("admin-token"),
        token_gateway_queue=SecretStr("gateway-token"),
        helo_name="mx.here.test",
    )


@pytest.fixture
async def world(settings: QueueSettings) -> AsyncIterator[QueueWithWorkers]:
    pool = await create_pool(settings.database_url.get_secret_value(), service="queue-worker", size=8, settings=SESSION)
    yield QueueWithWorkers(pool, settings, SameDatabase(pool))
    await pool.close()


class Operator(QueueAdmin):
    """The operators' client, with lists and batches put together. `parts`: the worker that answers."""

    parts: Parts

    async def listed(self, **given: Any) -> list[dict[str, Any]]:
        """All pages of the list."""
        return [record async for page in self.list_queue(**given) for record in page]

    async def acted(self, action: str, **given: Any) -> int:
        """The recipients that an action changed, in all its batches."""
        return sum([batch["recipients"] async for batch in self.act_on_queue(action, **given)])


@pytest.fixture
async def admin(world: QueueWithWorkers) -> AsyncIterator[Operator]:
    worker = world.worker()
    side = HttpSide(web(world.settings, Lifecycle(), worker), "127.0.0.1", 0)
    await side.start()
    client = Operator(f"http://127.0.0.1:{side.port}", "admin-token")
    client.parts = worker
    yield client
    await client.aclose()
    await side.stop()
