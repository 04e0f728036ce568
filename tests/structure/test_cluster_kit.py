"""What the test cluster's commands say when they cannot work. The cluster's own tests are in tests/cluster."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailkit.testing.speed import patient
from tests.cluster.kit import node
from tests.cluster.kit.build import KitError

ROOT = Path(__file__).parents[2]
SENTENCE = "cluster: the test cluster needs root: it makes namespaces and cgroups of its own\n"


@pytest.mark.parametrize("command", ["up", "down", "kubectl"])
def test_without_root_there_is_one_sentence(command: str) -> None:
    words = [
        sys.executable,
        "-c",
        f"""
import os, sys
if os.geteuid() == 0:
    sys.path.insert(0, {str(ROOT)!r})
    from tests.cluster.kit import cli, node
    os.setegid(65534), os.seteuid(65534)
else:
    from tests.cluster.kit import cli, node
try:
    cli.main([{command!r}])
except node.KitError as error:
    sys.exit(f"cluster: {{error}}")
""",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=patient(60))
    assert (done.returncode, done.stderr) == (1, SENTENCE)


def test_a_second_run_waits_for_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with node.claim(), pytest.raises(KitError, match="another run is using its cluster"), node.claim():
        pass
    with node.LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_cluster_for_hands_on_work_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "STATE", tmp_path / "state.json")
    node._remember(tmp_path, {"node": os.getpid(), "client": os.getpid()})
    node.check_not_kept({})  # a killed run's: the next start removes it
    node.keep()
    with pytest.raises(KitError, match="make cluster-down ends it"):
        node.check_not_kept({})
