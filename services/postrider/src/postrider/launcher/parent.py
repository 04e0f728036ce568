"""The process that forks the services: the libraries that they share are in memory once for all of them (decision 135).

It has one thread and no event loop, so that a fork copies nothing that runs. The launcher asks it to start a service and is
told of its end; a service ends when this process ends, and this process when the launcher ends.
"""

import asyncio
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import IO

import setproctitle

#: What two services or more import: all but their own modules, whose metrics every service would have then.
LIBRARIES = (
    "mailkit.process.command",
    "mailkit.rpc.http_server",
    "aiohttp",
    "asyncpg",
    "bcrypt",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
    "mailkit.net.dns",
    "zstandard",
)
#: Octets of a request at most: the settings of a service.
MOST_OCTETS = 1 << 20
#: The status of a process whose parent ended before it.
UNKNOWN = 255
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class ForkedService:
    """What a forked process is to be."""

    name: str
    module: str
    settings: Mapping[str, str]
    """Variables of the environment whose names begin with POSTRIDER_, all of them."""
    log: str

    def run(self) -> int:
        """Run the module as `python -m` does. Raises SystemExit if it does."""
        for name in [name for name in os.environ if name.startswith("POSTRIDER_")]:
            del os.environ[name]
        os.environ.update(self.settings)
        null, log = os.open(os.devnull, os.O_RDONLY), os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        for ours, standard in ((null, 0), (log, 1), (log, 2)):
            os.dup2(ours, standard)
        os.close(null)
        os.close(log)
        setproctitle.setproctitle(f"postrider: {self.name}")
        sys.argv = [self.module]
        runpy.run_module(self.module, run_name="__main__", alter_sys=True)
        return 0


class Child:
    """A service's process, as the launcher sees it: `poll`, `pid` and `send_signal` as of `subprocess.Popen`."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.ended = asyncio.Event()
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None if the process has not ended."""
        return self._status

    def send_signal(self, number: signal.Signals) -> None:
        """Send `number` unless the process has ended or does not run yet: its id is kept until the next start."""
        if self.pid is not None and self._status is None:
            os.kill(self.pid, number)

    def tell(self, pid: int | None, status: int | None) -> None:
        """Take what the parent process says."""
        self.pid, self._status = pid, status
        if status is not None:
            self.ended.set()


class Parent:
    """The launcher's end of the line to the parent process."""

    def __init__(self, line: socket.socket, pid: int) -> None:
        self._line = line
        self._pid = pid
        self._children: dict[str, Child] = {}
        self.ended = asyncio.Event()
        """Set when the parent process and all services have ended: they hold the other end."""

    def listen(self) -> None:
        """Begin to take reports in the running event loop."""
        self._line.setblocking(False)
        asyncio.get_running_loop().add_reader(self._line, self._read)

    def start(self, program: ForkedService) -> Child:
        """Have `program` started, whose earlier process has ended. Raises OSError."""
        child = self._children[program.name] = Child()
        self._line.send(json.dumps(vars(program)).encode())
        return child

    def _read(self) -> None:
        while True:
            try:
                octets = self._line.recv(MOST_OCTETS)
            except BlockingIOError:
                return
            if not octets:
                asyncio.get_running_loop().remove_reader(self._line)
                os.waitpid(self._pid, 0)
                self.ended.set()
                for child in self._children.values():
                    if child.poll() is None:
                        child.tell(child.pid, UNKNOWN)
                return
            name, pid, status = json.loads(octets)
            self._children[name].tell(pid, status)


def divide(lock: IO[str]) -> Parent | ForkedService:
    """Import the libraries and fork the parent process. Returns twice: in the launcher and, for each service, in its process.

    Call it without threads and without an event loop. `lock`: the launcher's, which the services do not hold. Raises
    SystemExit in the parent process when the launcher has ended.
    """
    gc.disable()  # a collection would free memory in pages that are to be shared
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()
    gc.enable()
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if pid := os.fork():
        theirs.close()
        return Parent(ours, pid)
    ours.close()
    lock.close()
    setproctitle.setproctitle("postrider: parent of the services")
    return _serve(theirs)


def _serve(line: socket.socket) -> ForkedService:
    """Fork a process for each request and report its end; returns in these. Raises SystemExit when the launcher has ended."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the launcher's end is ours
    alive, held = os.pipe()  # the services see the end of the pipe when this process has ended
    running: dict[int, tuple[str, int]] = {}
    ended: dict[str, int] = {}
    poll = select.poll()
    poll.register(line, select.POLLIN)
    while True:
        for found, _ in poll.poll():
            if found in running:
                poll.unregister(found)
                os.close(found)
                name, pid = running.pop(found)
                ended[name] = pid
                _report(line, name, pid, _status(pid))
                continue
            octets = line.recv(MOST_OCTETS)
            if not octets:
                raise SystemExit(0)
            program = ForkedService(**json.loads(octets))
            if (before := ended.pop(program.name, None)) is not None:
                os.waitpid(before, 0)
            pid = os.fork()
            if not pid:
                _leave(line, [held, *running])
                return replace(program, settings={**program.settings, "POSTRIDER_LAUNCHER_FD": str(alive)})
            pidfd = os.pidfd_open(pid)
            running[pidfd] = program.name, pid
            poll.register(pidfd, select.POLLIN)
            _report(line, program.name, pid, None)


def _status(pid: int) -> int:
    """Return the exit status of an ended child, negative for a signal.

    It is reaped before the next start of its service only: until then its id is its own, and the launcher may use it.
    """
    end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert end is not None
    return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status


def _report(line: socket.socket, name: str, pid: int, status: int | None) -> None:
    try:
        line.send(json.dumps([name, pid, status]).encode())
    except OSError:  # the launcher has ended
        raise SystemExit(0) from None


def _leave(line: socket.socket, descriptors: Iterable[int]) -> None:
    """Give up, in a process that has just been forked, what is the parent's."""
    line.detach()  # stays open: the launcher sees its end when all have ended
    for each in descriptors:
        os.close(each)
    for number in _STOPS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
