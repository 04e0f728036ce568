"""1, the rows: what the contract promises, through the Services' external addresses.

The tests are the single-machine run's own (tests/e2e), in a process in the clients' network; remote hosts and the
outside world's DNS are there too. Left out: the rows that move the clock or change a run's files (single_machine).
"""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailkit.testing.speed import patient
from tests.cluster.kit import config
from tests.cluster.kit.node import MANIFESTS
from tests.cluster.world import ROOT, Release
from tests.support.release import VARIABLE

pytestmark = pytest.mark.own_cluster

CLIENTS, REMOTES = "45.45.2", "45.45.3"
ZONE = f"""
    example:1053 {{
        errors
        forward . {REMOTES}.1
    }}
"""


@pytest.fixture
def outside(release: Release) -> Iterator[None]:
    """Addresses for many clients and remote hosts, and cluster DNS that asks the test's server about their domains."""
    cluster = release.cluster
    for network in (CLIENTS, REMOTES):
        subprocess.run(cluster.as_client(*f"ip route replace local {network}.0/24 dev lo".split()), check=True)
        way = f"ip route replace {network}.0/24 via {config.CLIENT_ADDRESSES[0]}"
        subprocess.run(cluster.in_network(*way.split()), check=True)
    usual = (MANIFESTS / "10-coredns.yaml").read_text()
    assert "\n    .:1053 {" in usual
    _dns(release, usual.replace("\n    .:1053 {", ZONE + "    .:1053 {", 1))
    yield
    _dns(release, usual)


def _dns(release: Release, manifest: str) -> None:
    release.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", data=manifest.encode())
    release.cluster.kubectl("-n", "kube-system", "rollout", "restart", "deployment/coredns")
    release.cluster.kubectl(
        "-n", "kube-system", "rollout", "status", "deployment/coredns", f"--timeout={patient(120):.0f}s"
    )


def _url(release: Release, service: str) -> str:
    found = json.loads(release.kubectl("get", "service", f"{release.prefix}-{service}", "-o", "json"))["spec"]
    return f"http://{found['clusterIP']}:{found['ports'][0]['port']}"


def test_every_row_that_needs_no_remote_time_out(release: Release, outside: None, tmp_path: Path) -> None:
    certificate = json.loads(release.kubectl("get", "secret", f"{release.prefix}-self-signed", "-o", "json"))
    (tmp_path / "ca.pem").write_bytes(base64.b64decode(certificate["data"]["ca.crt"]))
    urls = {"auth": "auth", "queue": "queue-worker", "mailstore": "mailstore"}
    where = {
        "name": "mail.example.net",
        "hosts": {"smtp": release.smtp, "reading": release.reading},
        "urls": {name: _url(release, service) for name, service in urls.items()},
        "admin_token": release.admin_token(),
        "ca_file": str(tmp_path / "ca.pem"),
        "node": release.cluster.node,
        "clients": CLIENTS,
        "remotes": REMOTES,
    }
    file = tmp_path / "release.json"
    file.write_text(json.dumps(where))
    file.chmod(0o600)
    rows = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests/e2e").glob("test_[SLPI][0-9]*.py"))
    done = subprocess.run(
        release.cluster.as_client(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--timeout",
            "120",
            "-m",
            "not single_machine",
            "-p",
            "no:cacheprovider",
            *rows,
        ),
        cwd=ROOT,
        env=os.environ | {VARIABLE: str(file)},
        capture_output=True,
        text=True,
        timeout=patient(900),
        stdin=subprocess.DEVNULL,
    )
    print(done.stdout[-6000:] if done.returncode else done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) >= len(rows)
