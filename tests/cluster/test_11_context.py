"""The same tests against a cluster at hand (POSTRIDER_TEST_CONTEXT): here our own plays somebody else's.

A process in the clients' network has nothing but kubectl, helm and a kubeconfig, as an operator's machine does.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailkit.testing.speed import patient
from tests.cluster.world import ROOT, Balancer, Release

pytestmark = pytest.mark.own_cluster


def test_a_cluster_at_hand(release: Release, balancer: Balancer, tmp_path: Path) -> None:
    environment = release.cluster.environment() | {"POSTRIDER_TEST_CONTEXT": "postrider"}
    environment.pop("POSTRIDER_TEST_KEEP_CLUSTER", None)
    done = subprocess.run(
        release.cluster.as_client(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-s",
            "--timeout",
            "600",
            "-p",
            "no:cacheprovider",
            "tests/cluster/test_01_install.py",
            "tests/cluster/test_01_dry_run.py",
            "tests/cluster/test_09_reinstall.py",
        ),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patient(900),
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    print(done.stdout.strip().splitlines()[-1])
    left = release.cluster.kubectl("get", "namespaces", "-o", "name").split()
    going = release.cluster.kubectl(
        "get", "namespaces", "-o", "jsonpath={.items[?(@.status.phase=='Terminating')].metadata.name}"
    )
    assert {name.partition("/")[2] for name in left if "postrider-test" in name} <= set(going.split())


def test_another_context_than_the_one_named_is_refused(release: Release) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/cluster/test_01_install.py"],
        cwd=ROOT,
        env=os.environ | release.cluster.environment() | {"POSTRIDER_TEST_CONTEXT": "production"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patient(120),
    )
    assert done.returncode == 1
    assert "kubectl's current context is postrider, and POSTRIDER_TEST_CONTEXT says production" in done.stdout
