"""What a run of a case costs the services: loop stalls, resident memory, processor time, Postgres time."""

import asyncio
import contextlib
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from mailkit.testing.speed import patient
from tests.support.run import Run

#: Split by cause into the loop's own work and waiting (mailkit/process/stalls.py); either kept everybody waiting.
STALL_METRIC = "postrider_process_loop_stall_seconds"
SAMPLE_SECONDS = 0.02
MB = 1024 * 1024
#: Counts of a histogram by what its series are labelled with and their upper bounds.
Buckets = dict[str, dict[float, float]]


def processor_seconds(pids: Iterable[int]) -> dict[str, float]:
    """Processor time so far by thread, to the nanosecond (psutil's has steps of 10 ms)."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    found[thread] = int(file.read().split()[0]) / 1e9
    return found


def spent(before: dict[str, float], after: dict[str, float]) -> float:
    """Processor time, in seconds, between two looks; a thread that ended in between takes nothing back."""
    return sum(seconds - before.get(thread, 0.0) for thread, seconds in after.items())


def _status(pid: int, name: str) -> int:
    """A line of /proc/<pid>/status in octets; 0 when the process is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def stall_buckets(run: Run, service: str) -> Buckets:
    """The loop-stall histogram of one service, by cause."""
    with urllib.request.urlopen(run.env[f"POSTRIDER_{service}_URL"] + "/metrics", timeout=patient(60)) as reply:
        text = reply.read().decode()
    found: Buckets = {}
    for family in text_string_to_metric_families(text):
        if family.name == STALL_METRIC:
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    found.setdefault(sample.labels["cause"], {})[float(sample.labels["le"])] = sample.value
    if not found:
        raise RuntimeError(f"{service} does not expose {STALL_METRIC}")
    return found


def longest(before: dict[float, float], after: dict[float, float]) -> float:
    """The lower bound, in seconds, of the longest stall between two scrapes: 0 within the first bucket."""
    new = {bound: count - before[bound] for bound, count in after.items()}
    under = 0.0
    for bound in sorted(new):
        if new[bound] >= new[float("inf")]:
            return under
        under = bound
    return under


class PostgresTime:
    """Seconds in which statements of the services were executing, added up over their connections, by sampling.

    Waiting for locks and for the disk counts as executing, as in `pg_stat_database.active_time`, which Postgres brings up
    to date only when a connection falls idle, at most once a second, and thus too late for one case.
    """

    QUERY = """select count(*) from pg_stat_activity where backend_type = 'client backend' and state = 'active'
        and pid <> pg_backend_pid() and wait_event_type is distinct from 'Client'"""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.seconds = 0.0
        self._stop = threading.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._sample()), daemon=True)

    def __enter__(self) -> "PostgresTime":
        self._thread.start()
        if not self._started.wait(patient(30)):
            raise RuntimeError("Postgres does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(patient(10))

    async def _sample(self) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            statement = await connection.prepare(self.QUERY)
            before = time.monotonic()
            self._started.set()
            while not self._stop.is_set():
                await asyncio.sleep(SAMPLE_SECONDS)
                active = await statement.fetchval()
                now = time.monotonic()
                self.seconds += active * (now - before)
                before = now
        finally:
            await connection.close()


@dataclass
class Cost:
    """What one run of a case cost. Times in seconds, memory in octets."""

    seconds: float = 0.0
    stalls: dict[str, tuple[float, str]] = field(default_factory=dict)
    """The longest stall by cause (work, wait), and the service."""
    grown: int = 0
    kept: int = 0
    largest: str = ""
    postgres: float = 0.0


@dataclass
class Meter:
    """Measures runs of cases on one running service."""

    run: Run
    postgres: PostgresTime
    pids: dict[str, int]
    usual: float = 0.0
    """Seconds of Postgres time a second while the second client works alone."""

    def watch_usual(self, seconds: float = 4.0) -> None:
        """Measure `usual`: nothing else may be going on."""
        busy, started = self.postgres.seconds, time.monotonic()
        time.sleep(seconds)
        self.usual = (self.postgres.seconds - busy) / (time.monotonic() - started)

    def _resident(self, name: str) -> dict[str, int]:
        return {service: _status(pid, name) for service, pid in self.pids.items()}

    @contextlib.contextmanager
    def measuring(self, settle: Callable[[], None]) -> Iterator[Cost]:
        """The cost of what is done inside; `settle` returns when its consequences are over."""
        cost = Cost()
        stalls = {service: stall_buckets(self.run, service) for service in self.pids}
        for pid in self.pids.values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew
        resident, busy, started = self._resident("VmRSS"), self.postgres.seconds, time.monotonic()
        yield cost
        cost.seconds = time.monotonic() - started
        settle()
        usual = self.usual * (time.monotonic() - started)
        cost.postgres = max(0.0, self.postgres.seconds - busy - usual)
        peaks, after = self._resident("VmHWM"), self._resident("VmRSS")
        cost.largest = max(peaks, key=lambda service: peaks[service] - resident[service])
        cost.grown = max(0, peaks[cost.largest] - resident[cost.largest])
        cost.kept = max(after[service] - resident[service] for service in self.pids)
        for service, before in stalls.items():
            for cause, counts in stall_buckets(self.run, service).items():
                stall = longest(before[cause], counts), service
                cost.stalls[cause] = max(cost.stalls.get(cause, (0.0, "")), stall)
