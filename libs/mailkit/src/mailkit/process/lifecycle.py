"""Life of a service process: uvloop, start, ready, drain on SIGTERM, and the end with its launcher (decisions 12, 13)."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop
from prometheus_client import Gauge

import mailkit
from mailkit.errors import ConfigError
from mailkit.process import memory, stalls
from mailkit.process.logs import get_logger
from mailkit.process.report import report

log = get_logger()

EX_CONFIG = 78
BUILD = Gauge("postrider_build_info", "1, with the service (component) and its version", ["component", "version"])


class Lifecycle:
    """State of the process: what `/readyz` shows, when a drain begins, and its background tasks."""

    def __init__(self) -> None:
        self.ready = False
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` in the background; what it raises is logged, and `cancel` ends it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> asyncio.Task[Any]:
        """Call `work` every `seconds` until the service stops; a failure is logged and does not end this."""
        return self.spawn(self._every(seconds, work))

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception as error:
                report(error, getattr(work, "__qualname__", str(work)))

    async def run_until_stopped(self, port: int, drain_delay: float) -> None:
        """Be ready on the HTTP `port` until the process is asked to stop, and for `drain_delay` seconds after it.

        In these seconds the load balancers learn from `/readyz` that the replica takes no new clients.
        """
        self.ready = True
        log.info("ready", port=port)
        await self.stopping.wait()
        log.info("draining")
        await asyncio.sleep(drain_delay)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            report(error, getattr(task.get_coro(), "__qualname__", ""))

    async def cancel(self) -> None:
        """Cancel all spawned tasks and wait for their end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run(service: str, serve: Callable[[Lifecycle], Awaitable[None]]) -> None:
    """Run `serve`, which watches `life.stopping`, until it returns. A ConfigError is printed; the exit status is 78."""
    memory.use_one_arena()
    BUILD.labels(service, mailkit.__version__).set(1)
    try:
        uvloop.run(_run(serve))
    except ConfigError as error:
        print(f"{service}: {error}", file=sys.stderr)
        raise SystemExit(EX_CONFIG) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


async def _run(serve: Callable[[Lifecycle], Awaitable[None]]) -> None:
    life = Lifecycle()
    gc.freeze()  # modules and classes live as long as the process: the collector need not scan them again
    gc.set_threshold(20_000, 20, 20)  # with the default of 700 it took 5 % of the time under load (decision 0025)
    loop = asyncio.get_running_loop()
    stalls.watch(loop)
    life.every(memory.TRIM_EVERY, memory.trim)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, life.stopping.set)  # a second SIGTERM changes nothing
    launcher = os.environ.get("POSTRIDER_LAUNCHER_FD")
    if launcher:
        _watch_launcher(loop, int(launcher), life)
    try:
        await serve(life)
    finally:
        await life.cancel()


def _watch_launcher(loop: asyncio.AbstractEventLoop, fd: int, life: Lifecycle) -> None:
    """Stop when the launcher ends, however it ends: its end of the pipe closes with it."""

    def gone() -> None:
        if not os.read(fd, 1):
            loop.remove_reader(fd)
            life.stopping.set()

    loop.add_reader(fd, gone)
