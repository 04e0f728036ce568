"""The programs that the chart carries, run for real: helm test's, and the bundled Postgres's start."""

import subprocess
import sys
import urllib.request

from mailkit.testing.speed import patient
from tests.chart.bundled import Bundled
from tests.chart.chart import CHART, kind, render
from tests.support.run import Run, wait_for


def test_the_helm_test_sends_reads_and_leaves_nothing(run: Run) -> None:
    before = run.cli("domain", "ls")
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
    done = subprocess.run(
        [sys.executable, "-S", str(script)], env=env, capture_output=True, text=True, timeout=patient(120)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["send", "read_by_imap", "read_by_pop3"]
    assert run.cli("domain", "ls") == before
    refused = subprocess.run(
        [sys.executable, "-S", str(script)],
        env=env | {"ADMIN_TOKEN": "wrong"},
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert refused.returncode == 1 and "answered 401" in refused.stderr and "Traceback" not in refused.stderr


def test_keda_asks_for_metrics_that_every_pod_has(run: Run) -> None:
    """A series that begins with the first session would be an error for the scaler until then."""
    urls = {"queue-worker": "QUEUE", "smtp-gateway": "GATEWAY", "pop-imap-frontend": "FRONTEND"}
    scaled = kind(render("scaling-values.yaml"), "ScaledObject")
    for service, name in urls.items():
        wanted = [each["metadata"]["valueLocation"] for each in scaled[f"postrider-{service}"]["spec"]["triggers"]]
        assert len(wanted) == {"queue-worker": 2, "smtp-gateway": 3, "pop-imap-frontend": 4}[service]

        def shown(name: str = name) -> set[str]:
            with urllib.request.urlopen(run.env[f"POSTRIDER_{name}_URL"] + "/metrics", timeout=patient(10)) as reply:
                return {line.rpartition(" ")[0] for line in reply.read().decode().splitlines()}

        wait_for(lambda shown=shown, wanted=wanted: set(wanted) <= shown(), 60, f"{wanted} at {service}")  # type: ignore[misc]


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
