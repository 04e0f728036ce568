"""8: every Deployment to three replicas and back under load: nothing is lost; the HPA does it for queue-worker."""

import json
import time
from typing import Any

from tests.cluster.under_load import load
from tests.cluster.world import CHART, DEPLOYMENTS, VALUES, Release
from tests.support.run import wait_for


def test_three_replicas_and_back(release: Release) -> None:
    with load(release) as running:
        for replicas in (3, 1):
            for name in DEPLOYMENTS:
                release.kubectl("scale", f"deployment/{release.prefix}-{name}", f"--replicas={replicas}")
            started = time.monotonic()
            release.ready()

            def settled(replicas: int = replicas) -> bool:
                return all(len(release.pods(name)) == replicas for name in DEPLOYMENTS)

            wait_for(settled, 120, f"{replicas} of each")
            print(f"{replicas} of each after {time.monotonic() - started:.1f} s")
    running.check()
    assert not running.report["unclean"], running.report["unclean"][:10]


def test_the_autoscaler_follows_the_load(release: Release) -> None:
    def status() -> dict[str, Any]:
        found = json.loads(release.kubectl("get", f"hpa/{release.prefix}-queue-worker", "-o", "json"))
        return dict(found["status"])

    def replicas() -> int:
        return int(status().get("desiredReplicas", 0))

    def quiet() -> bool:
        """Measured, and too little to do for a second one: a start takes CPU too, and is not what is meant."""
        now = status()
        measured = [metric["resource"]["current"]["averageUtilization"] for metric in now.get("currentMetrics") or []]
        return bool(measured) and measured[0] < 70 and now["desiredReplicas"] == now["currentReplicas"] == 1

    values = [*VALUES, "--wait", "--timeout", "5m"]
    release.helm("upgrade", str(CHART), *values, "--set", "queueWorker.autoscaling.enabled=true")
    try:
        wait_for(quiet, 180, "one quiet queue-worker")
        started = time.monotonic()
        with load(release, pause=0.1) as running:
            wait_for(lambda: replicas() > 1, 180, "more than one queue-worker")
            up = time.monotonic() - started
            release.ready()
        running.check()
        started = time.monotonic()
        wait_for(lambda: replicas() == 1 and len(release.pods("queue-worker")) == 1, 240, "one queue-worker again")
        print(f"scaled up {up:.1f} s after the load began, back {time.monotonic() - started:.1f} s after its end")
    finally:
        release.helm("upgrade", str(CHART), *values)
        release.ready()
