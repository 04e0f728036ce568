"""Two separate Postgres servers, a primary and its streaming standby, for tests of a failover."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from mailkit.testing.parent import end_with_parent
from mailkit.testing.postgres import Owner, _migrate, run_apart, socket_dsn
from mailkit.testing.postgres_guard import _answers, _credentials, _end, _let_through, binaries
from mailkit.testing.speed import patient

_SETTINGS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=50",
    "shared_buffers=16MB",
    "wal_level=replica",
    "max_wal_senders=4",
    "hot_standby=on",
    "jit=off",
    "timezone=UTC",
    "log_min_messages=warning",
)


class Pair:
    """A primary and a standby created from it, each reached by a socket in its own folder."""

    def __init__(self, folder: Path, owners: tuple[Owner, ...]) -> None:
        self._credentials = _credentials()
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = folder
        for path in (folder, folder / "primary", folder / "standby"):
            path.mkdir(exist_ok=True, mode=0o711)
            if self._credentials:
                os.chown(path, self._credentials["user"], self._credentials["group"])
        if self._credentials:
            for path in (folder, binaries()):
                _let_through(path, self._credentials["user"])
        self._run(
            "initdb",
            "-D",
            self._data("primary"),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        )
        self._start("primary")
        run_apart(_migrate(self.dsn("primary"), owners))
        self._run(
            "pg_basebackup",
            "-d",
            self.dsn("primary"),
            "-D",
            self._data("standby"),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
        )
        self._start("standby")

    def dsn(self, name: str) -> str:
        """Return the URL of `primary` or `standby`."""
        return socket_dsn(self._folder / name)

    async def replayed(self) -> None:
        """Wait until the standby has replayed all that the primary has written."""
        async with asyncio.timeout(patient(60)):
            primary, standby = [await asyncpg.connect(self.dsn(name)) for name in ("primary", "standby")]
            written = await primary.fetchval("select pg_current_wal_flush_lsn()")
            while not await standby.fetchval("select pg_last_wal_replay_lsn() >= $1::pg_lsn", written):
                await asyncio.sleep(0.02)
            await primary.close()
            await standby.close()

    async def fail_over(self) -> None:
        """End the primary immediately and promote the standby."""
        await asyncio.to_thread(_end, self._servers["primary"])
        connection = await asyncpg.connect(self.dsn("standby"))
        assert await connection.fetchval("select pg_promote(true, $1)", int(patient(60)))
        await connection.close()

    def end(self) -> None:
        """End both servers."""
        for server in self._servers.values():
            _end(server)

    def _data(self, name: str) -> str:
        return str(self._folder / name / "data")

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            [str(binaries() / command[0]), *command[1:]],
            capture_output=True,
            text=True,
            cwd="/",
            timeout=patient(120),
            **self._credentials,
        )
        assert done.returncode == 0, done.stderr

    def _start(self, name: str) -> None:
        options = [part for each in _SETTINGS for part in ("-c", each)]
        log = self._folder / f"{name}.log"
        with open(log, "ab") as out:
            self._servers[name] = subprocess.Popen(
                [str(binaries() / "postgres"), "-D", self._data(name), "-k", str(self._folder / name), *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                process_group=0,
                preexec_fn=end_with_parent(signal.SIGQUIT),
                **self._credentials,
            )
        deadline = time.monotonic() + patient(60)
        while not run_apart(_answers(self.dsn(name))):
            if self._servers[name].poll() is not None or time.monotonic() > deadline:
                self.end()
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            time.sleep(0.05)


@contextmanager
def pair(*owners: Owner) -> Iterator[Pair]:
    """Run both servers, with the owners' schemas, for the duration of the block."""
    folder = Path(tempfile.mkdtemp(prefix="postrider-pair-", dir="/tmp" if len(tempfile.gettempdir()) > 40 else None))
    made = None
    try:
        made = Pair(folder, owners)
        yield made
    finally:
        if made is not None:
            made.end()
        shutil.rmtree(folder, ignore_errors=True)
