"""Peak memory and processor time of process groups."""

import contextlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

#: Reading a process's share takes the kernel about a millisecond per 100 MB.
EVERY_SECONDS = 2.0
Processes = Callable[[], Iterable[tuple[str, psutil.Process]]]


def cpu(processes: Processes) -> dict[str, float]:
    """Seconds of processor time so far, by name; what ended children used is in their parent's."""
    spent: dict[str, float] = {}
    for name, process in processes():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()  # user, system, and the same of its ended children
            spent[name] = spent.get(name, 0.0) + sum(times[:4])
    return spent


def megabytes(processes: Processes) -> dict[str, float]:
    """Memory by name: the proportional set size (proc(5), smaps_rollup), a page of n processes counted 1/n in each.

    So the sum is what all of them take, also of memory that was shared by a fork or is Postgres' buffers.
    """
    found: dict[str, float] = {}
    for name, process in processes():
        with contextlib.suppress(OSError, psutil.Error):
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            kilobytes = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
            found[name] = found.get(name, 0.0) + kilobytes * 1024 / 1e6
    return found


class Peaks:
    """The most memory, of each name and of all together; `processes` yields (name, process) at each sample."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.megabytes: dict[str, float] = {}
        self.sum = 0.0

    def _sample(self) -> None:
        now = megabytes(self._processes)
        for name, taken in now.items():
            self.megabytes[name] = max(self.megabytes.get(name, 0.0), taken)
        self.sum = max(self.sum, sum(now.values()))

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
