"""4: pods of every service are killed at random under load, without a goodbye: nothing acknowledged is lost.

POSTRIDER_TEST_FAULT_SECONDS says for how long (120).
"""

import os
import random
import time
from collections import Counter

from mailkit.testing.speed import patient
from tests.cluster.under_load import load
from tests.cluster.world import DEPLOYMENTS, Release


def test_pods_die_at_random(release: Release) -> None:
    kills: Counter[str] = Counter()
    dice = random.Random(4)
    with load(release) as running:
        end = time.monotonic() + float(os.environ.get("POSTRIDER_TEST_FAULT_SECONDS", "120"))
        while time.monotonic() < end or set(kills) != set(DEPLOYMENTS):
            name = dice.choice(DEPLOYMENTS)
            pod = dice.choice(release.pods(name))["metadata"]["name"]
            release.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
            release.kubectl(
                "rollout", "status", f"deployment/{release.prefix}-{name}", f"--timeout={patient(120):.0f}s"
            )
            kills[name] += 1
    print(f"killed {dict(kills)}")
    running.check()
