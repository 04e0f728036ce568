"""A run of the whole service, Debian's Prometheus that scrapes it, and a load that makes everything happen."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.monitoring.dashboards import DASHBOARDS, queries
from tests.monitoring.load import everything
from tests.support.run import Run, wait_for
from tests.support.world import World

SERVICES = {
    "auth": "AUTH",
    "queue-worker": "QUEUE",
    "mailstore": "MAILSTORE",
    "smtp-gateway": "GATEWAY",
    "pop-imap-frontend": "FRONTEND",
}

#: The probe as an operator starts it, but with a round every five seconds, so that no minute is without one.
_PROBE = "from postrider import cli, probe; probe.EVERY = 5.0; cli.main()"

#: Of the second look at the same services, as a cluster's Prometheus has it.
NAMESPACE = "cluster"


class Prometheus:
    """The real one, on a port and folder of its own."""

    loaded = 0.0
    """When the load began."""
    empty_when_new: frozenset[str] = frozenset()
    """Queries of dashboards that returned no series at all before the load."""

    def __init__(self, folder: Path, run: Run, probe: str) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        jobs = []
        targets = {name: run.env[f"POSTRIDER_{short}_URL"].removeprefix("http://") for name, short in SERVICES.items()}
        for name, target in {**targets, "probe": probe}.items():
            # once as on one machine, once with the labels that the chart's PodMonitor brings
            jobs.append({"job_name": name, "static_configs": [{"targets": [target]}]})
            labels = {"namespace": NAMESPACE, "pod": f"{name}-0", "job": name, "instance": f"pod-of-{name}"}
            jobs.append({"job_name": f"{name} in a pod", "static_configs": [{"targets": [target], "labels": labels}]})
        config = {"global": {"scrape_interval": "3s", "scrape_timeout": "3s"}, "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent(),
            )

    def ask(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its HTTP API."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=patient(30)) as reply:
                return json.loads(reply.read())["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def up(self) -> bool:
        with contextlib.suppress(OSError):  # not listening yet, or not ready: 503
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=patient(5)).close()
            wanted = {"up == 1": len(SERVICES) + 1, "postrider_build_info": len(SERVICES)}
            return all(len(self.query(each)) == 2 * number for each, number in wanted.items())
        return False

    def empty(self) -> frozenset[str]:
        asked = {query for name in DASHBOARDS for _, query in queries(name)}
        return frozenset(query for query in asked if not self.query(query))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(patient(20))


@pytest.fixture(scope="session")
def busy_run(world: World) -> Iterator[Run]:
    made = Run(
        None,
        **world.settings(),
        POP3_LOGIN_DELAY_SECONDS="0",
        LIMIT_EXEMPT_NETWORKS="127.0.0.0/8",
        RETRY_FIRST_SECONDS="1",
        SCANNER_URL="http://127.0.0.1:1",  # nobody is there: mail is taken unscanned
    )
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture(scope="session")
def probe(busy_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A probe of the run; the value is the address of its metrics."""
    port = _free_port()
    with (tmp_path_factory.mktemp("probe") / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROBE, "probe", "--domain", "probe.test", "--metrics-port", str(port)],
            env=busy_run.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent(),
        )
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(patient(20))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def prometheus(
    busy_run: Run, world: World, probe: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """After it has seen everything that the service does."""
    made = Prometheus(tmp_path_factory.mktemp("prometheus"), busy_run, probe)
    try:
        wait_for(made.up, 60, "Prometheus scrapes all five")
        wait_for(lambda: made.query("rate(process_cpu_seconds_total[1m])"), 20, "rates are known: two scrapes")
        with contextlib.suppress(AssertionError):  # what stays empty is for its test to say
            wait_for(lambda: not made.empty(), 15)
        made.empty_when_new = made.empty()
        with everything(busy_run, world):
            made.loaded = time.time()
            wait_for(lambda: _has_seen(made), 60, "everything has happened and was scraped")
            yield made  # the load goes on: gauges of open sessions are not zero
    finally:
        made.close()


def _has_seen(prometheus: Prometheus) -> bool:
    wanted = [
        "min(postrider_queue_attempts_total{kind='remote',end=~'delivered|deferred|failed'}) > 3",
        "min(postrider_gateway_rejected_total{reason=~'no_relay|badmailfrom|no_mailbox|sender_domain'}) > 3",
        "sum(postrider_frontend_logins_total{protocol='pop3',outcome='ok'}) > 3",
        "min(postrider_frontend_imap_sessions_open) >= 1 and min(postrider_frontend_imap_idle_open) == 1",
        "sum(postrider_frontend_bytes_total) > 0",
        "sum(postrider_listener_session_seconds_count{listener=~'smtp|imap'}) > 10",
        "sum(postrider_mailstore_changed_messages_total{how='expunged'}) > 3",
        "sum(postrider_postgres_dead_rows) > 0",
        # seen twice since the load began
        "min(rate(postrider_postgres_blocks_total{from='cache'}[1m])) > 0",
        # by both looks at the service
        "count(sum by (namespace) (rate(postrider_frontend_pop3_commands_total{answer='err'}[1m])) > 0) == 2",
        "count(sum by (answer, namespace) (rate(postrider_frontend_imap_commands_total{answer=~'NO|BAD'}[1m])) > 0) == 4",
    ]
    return all(prometheus.query(one) for one in wanted)
