"""One run of the whole service, as `make run` starts it: on ports and a state folder of its own."""

import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote
from uuid import UUID

import psutil

from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.support.commands import commands
from tests.support.template import Template

T = TypeVar("T")
ENV_FILE = "postrider.env"
#: How long a start may take on the machine that limits are set on (mailkit.testing.speed).
START_SECONDS = 60
#: What the titles of a run's processes begin with.
TITLE = "postrider: "
STOP_SECONDS = 12


def wait_for(what: Callable[[], T | None], seconds: float = 20.0, why: str = "") -> T:
    """The first true value of `what`, asked again and again; AssertionError when the time is over. `seconds` are those of an
    idle machine."""
    seconds = patient(seconds)
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {why or what}; last seen: {value!r}")
        time.sleep(0.03)


def free_offset() -> int:
    """A port offset whose ports are all free now; two test workers look in different places.

    All ports are below those that the system gives to connections (32768), which could take one during a restart.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    places = list(range(800, 24_700, 100))
    part = len(places) // 4
    first = worker % 4 * part + secrets.randbelow(part)
    for offset in places[first:] + places[:first]:
        with contextlib.ExitStack() as held:
            try:
                for port in (2525, 2465, 2587, 2110, 2995, 2143, 2993, 8001, 8002, 8003, 8004, 8005):
                    probe = held.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port + offset))
            except OSError:
                continue
        return offset
    raise RuntimeError("no free ports")


def named(module: str) -> str:
    """The name of the service whose package is `module`."""
    return module.replace("_", "-")


def program(line: Sequence[str]) -> str:
    """What a process of a run is, by its command line: the name of a service, `postgres`, `launcher` …"""
    first = line[0] if line else ""
    if first.startswith(TITLE):
        return first.removeprefix(TITLE)
    if line[1:2] == ["-m"]:  # the launcher; in releases before the services were forked, also a service
        return named(line[2].removeprefix("postrider."))
    return "postgres" if "postgres" in first else ""


@dataclass(frozen=True)
class Account:
    """A mailbox a test made."""

    address: str
    password: str

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]

    @property
    def login(self) -> str:
        """P1's spelling."""
        return self.address.replace("@", "%")


class Run:
    """A running service. `start`, `stop`, `restart(NAME=value)` (settings without prefix), `cli(...)`.

    `python`: the interpreter that has Postrider installed; another clone's runs that clone's code. `template`: the state
    it begins with; None: with an empty folder, as an operator's first start.
    """

    #: The template of a test session (tests/conftest.py); measurements have none.
    shared: ClassVar[Template | None] = None

    def __init__(self, state: Path | None = None, *, python: str = sys.executable, **settings: Any) -> None:
        self.python = python
        self.template = None if state else self.shared
        self._made = state is None
        beside = self.shared.beside if self.shared else None
        self.state = state or Path(tempfile.mkdtemp(prefix="postrider-run-", dir=beside))
        self.state.chmod(0o755)
        self.offset = free_offset()
        self.settings = settings
        self.env: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self._domains = itertools.count(1)

    # -- the process

    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("POSTRIDER_")}
        own.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of the six processes compiles all it imports at each start
        own |= {"POSTRIDER_STATE": str(self.state), "POSTRIDER_PORT_OFFSET": str(self.offset)}
        if "DNS_SERVERS" not in self.settings and self.python == sys.executable:  # not an older release's code
            own["POSTRIDER_AUTHENTICATE_MAIL"] = "false"  # a test asks no resolver but its own
        return own | {f"POSTRIDER_{name}": value for name, value in self.settings.items()}

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the launcher, and wait for nothing. It gets SIGTERM when the test run is killed."""
        (self.state / ENV_FILE).unlink(missing_ok=True)  # left by a run that was killed
        with open(self.state / "launcher.out", "ab") as out:
            self.process = subprocess.Popen(
                [self.python, "-m", "postrider.launcher"],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )
        return self.process

    def start(self) -> "Run":
        """Start and wait until `postrider.env` says that everything answers."""
        if self.template is not None:
            self.template.copy_to(self.state)
            self.template = None
        process = self.launch()
        file = self.state / ENV_FILE
        end = time.monotonic() + patient(START_SECONDS)
        while not file.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the run did not start:\n{self.output()}\n{self.logs()}")
            time.sleep(0.03)
        self.env = dict(line.split("=", 1) for line in file.read_text().splitlines())
        return self

    def stop(self) -> int:
        """SIGTERM; everything is gone within 10 s."""
        if self.process is None:
            return 0
        children = self.processes()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(patient(STOP_SECONDS))
        self.process = None
        _, alive = psutil.wait_procs(children, patient(2))
        assert not alive, f"left behind: {alive}"
        return status

    def kill(self) -> None:
        """SIGKILL to the launcher; its services have to notice."""
        assert self.process is not None
        children = self.processes()
        self.process.kill()
        self.process.wait()
        self.process = None
        _, alive = psutil.wait_procs(children, patient(12))
        assert not alive, f"left behind: {alive}"

    def restart(self, **settings: str) -> "Run":
        """Stop and start on the same state, with settings changed."""
        self.stop()
        self.settings |= settings
        return self.start()

    def processes(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def service(self, module: str) -> psutil.Process:
        """The process of one service by its module, `postgres` for the database server."""
        for process, line in self.command_lines():
            if line and (line[0].endswith("bin/postgres") if module == "postgres" else program(line) == named(module)):
                return process
        raise AssertionError(f"no process of {module}")

    def command_lines(self) -> Iterator[tuple[psutil.Process, list[str]]]:
        """The processes that are there with their command lines, read once: one may be gone a moment later."""
        for process in self.processes():
            try:
                line = process.cmdline()
            except psutil.Error:
                continue
            yield process, line

    def close(self) -> None:
        """Whatever happened, nothing stays: no process, and no state folder but a given one."""
        self.close_process()
        if self._made:
            shutil.rmtree(self.state, ignore_errors=True)

    def close_process(self) -> None:
        """Whatever happened, no process stays."""
        if self.process is not None and self.process.poll() is None:
            children = self.processes()
            self.process.terminate()
            try:
                self.process.wait(patient(STOP_SECONDS))
            except subprocess.TimeoutExpired:
                self.process.kill()
            for child in psutil.wait_procs(children, patient(5))[1]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self.process = None

    def output(self) -> str:
        return (self.state / "launcher.out").read_text(errors="replace")

    def logs(self) -> str:
        """The ends of the services' logs: what a failed test shows."""
        parts = []
        for file in sorted((self.state / "logs").glob("*.log")):
            parts.append(f"--- {file.name}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(parts)

    # -- clients

    name = "localhost"
    """The name that the shared certificate carries."""

    def host(self, port: str) -> str:
        """Where to dial that port's service."""
        return "127.0.0.1"

    def port(self, name: str) -> int:
        """SMTP, SMTPS, SUBMISSION, POP3, POP3S, IMAP, IMAPS."""
        return int(self.env[f"POSTRIDER_{name}_PORT"])

    def source(self, address: str) -> str:
        """The address by which the service knows the client a test calls `address` (127.0.0.x)."""
        return address

    # -- operators

    @property
    def dsn(self) -> str:
        """The database, for looking at it from outside."""
        line = self.service("postgres").cmdline()
        return f"postgresql://postgres@/postgres?host={quote(line[line.index('-k') + 1], safe='')}"

    def mailbox_id(self, account: Account) -> UUID:
        return UUID(self.api("GET", "auth", f"/v1/mailboxes/{quote(account.address)}")["id"])

    @property
    def ca_file(self) -> str:
        return self.env["POSTRIDER_CA_FILE"]

    def cli_process(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """The command line, as an operator types it."""
        return commands().run(words, self.environment(), text)

    def _cli(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "postrider.cli", *words]

    def cli(self, *words: str, text: str = "") -> Any:
        """The same with `--json`; it has to succeed."""
        done = self.cli_process(*words, "--json", text=text)
        assert done.returncode == 0, f"postrider {' '.join(words)}: {done.stderr}\n{self.logs()}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def domain(self) -> str:
        """A new domain, the test's own."""
        name = f"d{next(self._domains)}-{secrets.token_hex(3)}.test"
        self.api("POST", "auth", "/v1/domains", {"name": name})
        return name

    def mailbox(self, domain: str, local: str = "user", *, quota: int | None = None) -> Account:
        """A new mailbox with a password nobody guesses."""
        account = Account(f"{local}@{domain}", secrets.token_urlsafe(9))
        content: dict[str, Any] = {"address": account.address, "password": account.password}
        if quota is not None:
            content["quota_limit"] = quota
        self.api("POST", "auth", "/v1/mailboxes", content)
        return account

    def api(self, method: str, service: str, path: str, content: Any = None) -> Any:
        """An operator's REST call; it has to succeed. `service`: auth, queue, mailstore, gateway, frontend."""
        import urllib.request

        request = urllib.request.Request(
            self.env[f"POSTRIDER_{service.upper()}_URL"] + path,
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={
                "authorization": f"Bearer {self.env['POSTRIDER_ADMIN_TOKEN']}",
                "content-type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=patient(15)) as reply:
            raw = reply.read()
        return json.loads(raw) if raw else None


@contextlib.contextmanager
def running(**settings: Any) -> Iterator[Run]:
    """A run for one test or module."""
    run = Run(**settings)
    try:
        run.start()
        yield run
    finally:
        run.close()


def first_state(folder: Path) -> None:
    """Make the state folder of a run that was started once and stopped."""
    run = Run(folder)
    try:
        run.start()
        run.stop()
    finally:
        run.close()
