"""3: every Deployment is restarted in turn under load; clients see a clean 421 or BYE and nothing is lost.

POSTRIDER_TEST_ROUNDS says how often (CI: once).
"""

import os
import time

from mailkit.testing.speed import patient
from tests.cluster.under_load import load
from tests.cluster.world import DEPLOYMENTS, Release
from tests.support.run import wait_for


def test_a_rolling_restart_is_not_noticed(release: Release) -> None:
    rounds = int(os.environ.get("POSTRIDER_TEST_ROUNDS", "2"))
    with load(release) as running:
        for _ in range(rounds):
            for name in DEPLOYMENTS:
                started = time.monotonic()
                old = {pod["metadata"]["uid"] for pod in release.pods(name)}
                release.kubectl("rollout", "restart", f"deployment/{release.prefix}-{name}")
                release.kubectl(
                    "rollout", "status", f"deployment/{release.prefix}-{name}", f"--timeout={patient(180):.0f}s"
                )
                ready = time.monotonic() - started

                def gone(name: str = name, old: set[str] = old) -> bool:
                    return not old & {pod["metadata"]["uid"] for pod in release.pods(name)}

                wait_for(gone, 120, f"the end of the old {name}")
                print(
                    f"{name}: new one ready after {ready:.1f} s, old one gone after {time.monotonic() - started:.1f} s"
                )
    running.check()
    unclean = running.report["unclean"] + [f"deferred: {text}" for text in running.report["deferred"]]
    assert not unclean, "\n".join(
        [f"{len(unclean)} of 70 sessions' troubles:", *unclean[:3], *unclean[3:-3:20], *unclean[-3:]]
    )
