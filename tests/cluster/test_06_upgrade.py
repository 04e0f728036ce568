"""6: an upgrade that changes the schema, both versions serving meanwhile, and the way back by `helm rollback`.

The next version's images are made of the same sources with one more migration in each of two schemas; its oldest code
is today's, as expand and contract wants it.
"""

import time
from pathlib import Path

import pytest

from tests.cluster.kit import images
from tests.cluster.under_load import Running, load
from tests.cluster.world import CHART, VALUES, Release
from tests.support.run import wait_for

pytestmark = pytest.mark.own_cluster

NEXT = "next"
SCHEMAS = {"mailstore": "services/mailstore/src/mailstore", "queue": "services/queue-worker/src/queue_worker"}


def _newest(package: Path) -> int:
    return max(int(path.name[:4]) for path in (package / "migrations/versions").glob("[0-9]*.py"))


def _one_more_migration(context: Path) -> None:
    for schema, folder in SCHEMAS.items():
        number = _newest(context / folder)
        (context / folder / f"migrations/versions/{number + 1:04}_next.py").write_text(
            f'"""What the next version wants of {schema}."""\n\nfrom alembic import op\n\n'
            f'revision = "{number + 1:04}"\ndown_revision = "{number:04}"\nmin_code = {number}\n\n\n'
            f'def upgrade() -> None:\n    op.execute("create table {schema}.next_version (id uuid primary key)")\n'
        )


def _version(release: Release, schema: str) -> int:
    query = f"select version from {schema}.schema_min_code"
    command = [
        "exec",
        f"{release.prefix}-postgres-0",
        "--",
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "postrider",
        "-Atc",
        query,
    ]
    password = release.kubectl(
        "get", "secret", f"{release.prefix}-database", "-o", "go-template={{.data.password | base64decode}}"
    )
    command[3:3] = ["env", f"PGPASSWORD={password}"]
    return int(release.kubectl(*command))


def _tags(release: Release) -> set[str]:
    pods = [pod for pod in release.objects("pods") if "postrider/" in pod["spec"]["containers"][0]["image"]]
    running = [
        pod for pod in pods if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]
    return {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in running}


def test_a_schema_change_and_the_way_back(release: Release) -> None:
    release.cluster.load([images.changed_archive(NEXT, _one_more_migration)])
    today = {schema: _newest(images.REPOSITORY / folder) for schema, folder in SCHEMAS.items()}
    assert {schema: _version(release, schema) for schema in SCHEMAS} == today
    with load(release) as running:
        before = _filed(running)
        started = time.monotonic()
        release.helm(
            "upgrade",
            str(CHART),
            *VALUES,
            "--set",
            f"image.tag={NEXT}",
            "--wait",
            "--wait-for-jobs",
            "--timeout",
            "5m",
        )
        print(f"upgraded in {time.monotonic() - started:.1f} s")
        wait_for(lambda: _tags(release) == {NEXT}, 120)
        tomorrow = {schema: number + 1 for schema, number in today.items()}
        assert {schema: _version(release, schema) for schema in SCHEMAS} == tomorrow
        wait_for(lambda: _filed(running) > before + 20, 60, "mail with the next version")
        started = time.monotonic()
        release.helm("rollback", "--wait", "--timeout", "5m")
        print(f"rolled back in {time.monotonic() - started:.1f} s")
        wait_for(lambda: _tags(release) == {images.app_version()}, 120)
        assert {schema: _version(release, schema) for schema in SCHEMAS} == tomorrow, "a rollback leaves the schema"
        before = _filed(running)
        wait_for(lambda: _filed(running) > before + 20, 60, "mail with today's version on the newer schema")
    running.check()
    trouble = running.report["unclean"] + [f"deferred: {text}" for text in running.report["deferred"]]
    assert not trouble, trouble[:10]


def _filed(running: Running) -> int:
    return sum(running.filed().values())
