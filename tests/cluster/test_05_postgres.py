"""5: Postgres's pod is killed and comes back: the mail accepted before is there, and the services go on by themselves."""

import time

from mailkit.testing.speed import patient
from tests.cluster.under_load import load
from tests.cluster.world import DEPLOYMENTS, Release
from tests.support.run import wait_for


def test_postgres_dies_and_comes_back(release: Release) -> None:
    with load(release) as running:
        before = sum(running.filed().values())
        restarts = _restarts(release)
        started = time.monotonic()
        release.kubectl("delete", "pod", f"{release.prefix}-postgres-0", "--force", "--grace-period=0")
        release.kubectl("rollout", "status", f"statefulset/{release.prefix}-postgres", f"--timeout={patient(120):.0f}s")
        back = time.monotonic() - started
        release.ready()
        wait_for(lambda: sum(running.filed().values()) > before + 40, 90, "new mail after Postgres came back")
        print(f"Postgres ready after {back:.1f} s, mail flows again after {time.monotonic() - started:.1f} s")
    running.check()
    assert _restarts(release) == restarts, "a service needed a restart to find its database again"


def _restarts(release: Release) -> int:
    return sum(
        status["restartCount"]
        for name in DEPLOYMENTS
        for pod in release.pods(name)
        for status in pod["status"]["containerStatuses"]
    )
