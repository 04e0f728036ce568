"""Peak memory and processor time of process groups."""

import contextlib
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import psutil

EVERY_SECONDS = 0.5
Processes = Callable[[], Iterable[tuple[str, psutil.Process]]]


def cpu(processes: Processes) -> dict[str, float]:
    """Seconds of processor time so far, by name; what ended children used is in their parent's."""
    spent: dict[str, float] = {}
    for name, process in processes():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()  # user, system, and the same of its ended children
            spent[name] = spent.get(name, 0.0) + sum(times[:4])
    return spent


class Peaks:
    """The highest resident memory per name; `processes` yields (name, process) at each sample.

    Processes of one name share pages (postgres, postfix): the shared ones are counted once, at their largest.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.megabytes: dict[str, float] = {}

    def _sample(self) -> None:
        own: dict[str, int] = {}
        shared: dict[str, int] = {}
        for name, process in self._processes():
            with contextlib.suppress(psutil.Error):
                memory = process.memory_info()
                own[name] = own.get(name, 0) + memory.rss - memory.shared
                shared[name] = max(shared.get(name, 0), memory.shared)
        for name, octets in own.items():
            self.megabytes[name] = max(self.megabytes.get(name, 0.0), (octets + shared[name]) / 1e6)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            with contextlib.suppress(psutil.Error, AssertionError):
                self._sample()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)
