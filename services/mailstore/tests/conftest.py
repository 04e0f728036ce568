"""One replica of mailstore behind its real endpoints, on a database of its own, with a clock that tests move."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from bodystore import SameDatabase
from mailkit.ids import new_id
from mailkit.postgres.pool import PLANNER, create_pool
from mailkit.process.clock import ManualClock
from mailkit.process.disk import Disk
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.logs import configure
from mailkit.rpc.http_server import HttpSide
from mailkit.rpc.proof import LIFE
from mailkit.testing.postgres import Databases
from mailkit.testing.postgres import postgres as postgres
from mailkit.testing.speed import patient
from mailstore.config import MailstoreSettings
from mailstore.parts import Parts, assemble
from mailstore.service import web
from mailstore_api.admin import MailstoreAdmin
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import (
    Append,
    Appended,
    AppendedMessage,
    AppendList,
    Copied,
    CopyQuestion,
    Expunged,
    ExpungeQuestion,
    FetchQuestion,
    Filing,
    FilingList,
    FolderChange,
    FolderInfo,
    FolderSnapshot,
    MailboxQuestion,
    OpenFolder,
    Section,
    Stored,
    StoreQuestion,
)

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROOM = 25 * 1024 * 1024
PREFIX = b"Return-Path: <a@far.test>\r\nDelivered-To: b@here.test\r\n"
ALL = [(1, 2**32 - 1)]


def message(subject: str = "hello", text: str = "Hello.", size: int = 0) -> bytes:
    """A small message; with `size`, filled up to so many octets."""
    head = f"From: Anna <a@far.test>\r\nTo: b@here.test\r\nSubject: {subject}\r\nDate: Sun, 1 Mar 2026 10:00:00 +0000\r\n\r\n"
    body = (head + text + "\r\n").encode()
    return body + b"x" * max(size - len(body) - 2, 0) + (b"\r\n" if size > len(body) else b"")


def uids(packed: bytes) -> list[int]:
    return list(array("I", packed))


def masks(packed: bytes) -> list[int]:
    return list(array("Q", packed))


class FullDisk(Disk):
    """A disk that a test fills."""

    full = False

    def is_full(self) -> bool:
        return self.full


@dataclass
class Store:
    """The service and a client for each of its callers."""

    parts: Parts
    url: str
    dsn: str
    settings: MailstoreSettings
    clock: ManualClock
    disk: FullDisk
    life: Lifecycle
    clients: list[MailstoreClient] = field(default_factory=list)

    def client(self, caller: str) -> MailstoreClient:
        made = MailstoreClient(self.url, f"{caller}-token", timeout=patient(20), connections=40)
        if caller == "frontend":
            made.proof_of = self.proof
        self.clients.append(made)
        return made

    def proof(self, mailbox_id: UUID) -> bytes:
        """As auth gives it at a login."""
        return self.settings.proofs.sign(mailbox_id, 1, self.clock.timestamp() + LIFE)

    def __post_init__(self) -> None:
        self.front, self.queue, self.gateway = map(self.client, ("frontend", "queue", "gateway"))
        self.admin = MailstoreAdmin(self.url, "admin-token", timeout=patient(20))
        self.pool = self.parts.pool
        self.bodies = self.parts.bodies

    async def aclose(self) -> None:
        for each in [*self.clients, self.admin]:
            await each.aclose()

    def pass_time(self, seconds: float) -> None:
        self.clock.current += timedelta(seconds=seconds)

    # -- what queue-worker does

    async def put(self, *bodies: bytes) -> list[UUID]:
        ids = [new_id() for _ in bodies]
        await self.bodies.put(list(zip(ids, bodies, strict=True)), self.clock.now())
        return ids

    def filing(self, mailbox_id: UUID, body_id: UUID, **more: Any) -> Filing:
        given: dict[str, Any] = {
            "queue_id": new_id(),
            "prefix": PREFIX,
            "received_at": self.clock.timestamp(),
            "quota_limit": ROOM,
            "limit_version": 1,
            **more,
        }
        return Filing(mailbox_id=mailbox_id, body_id=body_id, **given)

    async def file(self, *items: Filing) -> list[str]:
        return [answer.status for answer in await self.queue.file(FilingList(list(items)))]

    async def deliver(self, mailbox_id: UUID, *bodies: bytes, **more: Any) -> None:
        """File each body, all in one list."""
        ids = await self.put(*bodies)
        answers = await self.file(*(self.filing(mailbox_id, body_id, **more) for body_id in ids))
        assert set(answers) == {"filed"}, answers

    # -- what the front end does

    async def open(self, mailbox_id: UUID, name: str = "INBOX", *, read_only: bool = True) -> FolderSnapshot:
        return await self.front.open_folder(OpenFolder(mailbox_id, name, read_only))

    async def folders(self, mailbox_id: UUID) -> dict[str, FolderInfo]:
        return {folder.name: folder for folder in await self.front.list_folders(MailboxQuestion(mailbox_id))}

    async def append(
        self, mailbox_id: UUID, data: bytes, name: str = "INBOX", flags: Sequence[str] = (), **more: Any
    ) -> Appended:
        given: dict[str, Any] = {
            "internal_date": None,
            "quota_limit": ROOM,
            "limit_version": 1,
            "operation_id": new_id(),
            **more,
        }
        return await self.front.append(Append(mailbox_id, name, list(flags), **given), data)

    async def append_all(
        self, mailbox_id: UUID, messages: Sequence[bytes], name: str = "INBOX", **more: Any
    ) -> Appended:
        """One AppendList; `flags` are those of each message."""
        flags = list(more.pop("flags", ()))
        given: dict[str, Any] = {"quota_limit": ROOM, "limit_version": 1, "operation_id": new_id(), **more}
        items = [AppendedMessage(len(each), flags) for each in messages]
        return await self.front.append_list(AppendList(mailbox_id, name, items, **given), b"".join(messages))

    async def store(
        self, mailbox_id: UUID, ranges: list[tuple[int, int]], mode: str, *flags: str, folder_id: int = 1, **more: Any
    ) -> Stored:
        given: dict[str, Any] = {"operation_id": new_id(), **more}
        return await self.front.store(StoreQuestion(mailbox_id, folder_id, ranges, mode, list(flags), **given))  # type: ignore[arg-type]

    async def copy(
        self, mailbox_id: UUID, ranges: list[tuple[int, int]], target: str, *, folder_id: int = 1, **more: Any
    ) -> Copied:
        given: dict[str, Any] = {
            "move": False,
            "quota_limit": ROOM,
            "limit_version": 1,
            "operation_id": new_id(),
            **more,
        }
        return await self.front.copy(CopyQuestion(mailbox_id, folder_id, ranges, target, **given))

    async def expunge(self, mailbox_id: UUID, ranges: Any = None, *, folder_id: int = 1, **more: Any) -> Expunged:
        given: dict[str, Any] = {"operation_id": new_id(), "ranges": ranges, **more}
        return await self.front.expunge(ExpungeQuestion(mailbox_id, folder_id, **given))

    async def change(self, verb: str, mailbox_id: UUID, name: str, new_name: str = "", **more: Any) -> str:
        """create, delete, rename, subscribe, unsubscribe."""
        given: dict[str, Any] = {"operation_id": new_id(), **more}
        call: Callable[[FolderChange], Awaitable[Any]] = getattr(self.front, f"{verb}_folder")
        answer = await call(FolderChange(mailbox_id, name, new_name=new_name, **given))
        return str(getattr(answer, "status", answer))

    async def fetch(
        self,
        mailbox_id: UUID,
        columns: Sequence[str] = (),
        sections: Sequence[Section] = (),
        ranges: Any = None,
        folder_id: int = 1,
    ) -> list[list[Any]]:
        """All rows."""
        question = FetchQuestion(mailbox_id, folder_id, ranges or ALL, list(columns), list(sections))  # type: ignore[arg-type]
        return [row async for rows in self.front.fetch(question) for row in rows]

    async def texts(self, mailbox_id: UUID, folder_id: int = 1) -> dict[int, bytes]:
        """Whole messages by UID."""
        return {row[0]: row[1] for row in await self.fetch(mailbox_id, sections=[Section()], folder_id=folder_id)}

    async def usage(self, mailbox_id: UUID) -> int:
        """What the mailbox's row says it holds; it and the folders' counts have to be what the messages say."""
        row = await self.pool.fetchrow(
            "select usage, (select coalesce(sum(size), 0) from mailstore.message m where m.mailbox_id = b.id) as really "
            "from mailstore.mailbox b where id = $1",
            mailbox_id,
        )
        assert row is not None and row["usage"] == row["really"], row
        wrong = await self.pool.fetch(
            "select f.name, f.messages, f.unseen, f.octets, f.recent from mailstore.folder f cross join lateral (select count(*) as n, "
            "count(*) filter (where flags & 8 = 0) as u, coalesce(sum(size), 0) as o, count(*) filter (where uid >= f.recent_from) as e "
            "from mailstore.message m where m.mailbox_id = f.mailbox_id and m.folder_id = f.folder_id) r "
            "where f.mailbox_id = $1 and (f.messages, f.unseen, f.octets, f.recent) is distinct from (r.n, r.u, r.o, r.e)",
            mailbox_id,
        )
        assert not wrong, wrong
        return int(row["usage"])


@pytest.fixture
def database(postgres: Databases) -> Iterator[str]:
    with postgres.database(("bodystore", "bodies"), ("mailstore", "mailstore")) as dsn:
        yield dsn


@pytest.fixture
def settings(database: str) -> MailstoreSettings:
    return MailstoreSettings(
        database_url=SecretStr(database),
        http_port=0,
        admin_token=SecretStr("admin-token"),
        token_gateway_mailstore=SecretStr("gateway-token"),
        token_queue_mailstore=SecretStr("queue-token"),
        token_frontend_mailstore=SecretStr("frontend-token"),
        max_message_bytes=1024 * 1024,
        message_row_bytes=0,
        history_days=2,
        proof_key=SecretStr("k" * 32),
    )


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    made = await create_pool(database, service="mailstore", size=16, settings=PLANNER)
    yield made
    await asyncio.wait_for(made.close(), patient(10))


@pytest.fixture
async def store(settings: MailstoreSettings, pool: asyncpg.Pool, database: str) -> AsyncIterator[Store]:
    clock, disk, life = ManualClock(START), FullDisk("", 0), Lifecycle()
    parts = assemble(settings, pool, SameDatabase(pool), clock, disk=disk)
    side = HttpSide(web(settings, life, parts), "127.0.0.1", 0)
    await side.start()
    life.ready = True
    made = Store(parts, f"http://127.0.0.1:{side.port}", database, settings, clock, disk, life)
    yield made
    await made.aclose()
    await life.cancel()
    await side.stop()


@pytest.fixture
def mailbox_id() -> UUID:
    return new_id()


@pytest.fixture(autouse=True)
def quiet() -> None:
    """One line per message is for machines."""
    configure("mailstore", "warning")
