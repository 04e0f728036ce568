"""The services of a run as child processes: started, watched, restarted with back-off, stopped together."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp

from mailkit.errors import ConfigError
from mailkit.process.lifecycle import EX_CONFIG
from postrider.launcher.parent import Child, ForkedService, Parent
from postrider.launcher.plan import SERVICES
from postrider.launcher.postgres import SLOW_SECONDS, finish

LONGEST_PAUSE = 10.0


class Service:
    """One service: its process, its log file, and how often it was restarted lately."""

    def __init__(self, name: str, environment: Mapping[str, str], log: Path, say: Callable[[str], None]) -> None:
        self.name = name
        self.log = log
        settings = {name: value for name, value in environment.items() if name.startswith("POSTRIDER_")}
        self._program = ForkedService(name, SERVICES[name][1], settings, str(log))
        self._say = say
        self._process: Child | None = None
        self._failures = 0
        self._started = 0.0
        self._next = 0.0

    def start(self, parent: Parent) -> None:
        """Have the process started by `parent`, with which it ends."""
        self._started = time.monotonic()
        self._process = parent.start(self._program)

    def watch(self, parent: Parent) -> None:
        """Restart the process if it has ended: at once, then after 0.5, 1, 2 … 10 s. Call often."""
        if self._process is None:
            if time.monotonic() >= self._next:
                self.start(parent)
                self._say(f"{self.name} is started again")
            return
        status = self._process.poll()
        if status is None:
            return
        if time.monotonic() - self._started > 30:
            self._failures = 0
        pause = min(0.5 * 2 ** (self._failures - 1), LONGEST_PAUSE) if self._failures else 0.0
        self._failures += 1
        self._next = time.monotonic() + pause
        self._process = None
        self._say(f"{self.name} ended ({_cause(status)}); starting it again in {pause:g} s, its log is {self.log}")

    def failed(self) -> str | None:
        """Return why the service ended while it was being started; None if it has not ended."""
        status = self._process.poll() if self._process is not None else None
        if status is None:
            return None
        lines = self.log.read_text(errors="replace").strip().splitlines()
        if status == EX_CONFIG and lines:
            return lines[-1]
        return f"{self.name} ended while it was being started ({_cause(status)}); its log is {self.log}"

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    async def ended(self) -> None:
        """Wait until the process has ended."""
        if self._process is not None:
            await self._process.ended.wait()


def _cause(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


async def migrate(environments: Mapping[str, Mapping[str, str]], log: Path) -> None:
    """Bring every schema to the revision of this code, the owners concurrently. Raises ConfigError."""

    async def one(name: str) -> None:
        command = [sys.executable, "-m", SERVICES[name][1], "migrate"]
        status, text = await finish(command, env=dict(environments[name]))
        with open(log, "a") as file:
            file.write(text)
        if status:
            lines = text.strip().splitlines()
            raise ConfigError(f"the database of {name} could not be brought up to date: {lines[-1] if lines else log}")

    async with asyncio.TaskGroup() as owners:
        for name in environments:
            owners.create_task(one(name))


async def wait_ready(services: list[Service], urls: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Wait until `/readyz` of every service answers 200, without a time limit while they run.

    Raises ConfigError if a service refuses to start or ends.
    """
    slow = time.monotonic() + SLOW_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=6)) as session:
        for service in services:
            while not await _ready(session, urls[service.name]):
                if sentence := service.failed():
                    raise ConfigError(sentence)
                if time.monotonic() > slow:
                    slow = time.monotonic() + SLOW_SECONDS
                    say(f"{service.name} runs but is not ready yet; waiting for it, its log is {service.log}")
                await asyncio.sleep(0.05)


async def _ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as reply:
            return reply.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


async def stop_all(services: list[Service], seconds: float) -> None:
    """Send SIGTERM to all, first to the two that face the Internet, to stop accepting mail; after `seconds` SIGKILL."""
    for service in reversed(services):
        service.send(signal.SIGTERM)
    waiting = asyncio.gather(*(service.ended() for service in services))
    try:
        await asyncio.wait_for(asyncio.shield(waiting), seconds)
    except TimeoutError:
        for service in services:
            service.send(signal.SIGKILL)
        await waiting
