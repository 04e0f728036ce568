"""10: what is wrong is said in one sentence, before anything is made where that is possible."""

import base64
import json
import time
from pathlib import Path

import pytest

from tests.cluster.kit.build import KitError
from tests.cluster.kit.node import Cluster
from tests.cluster.world import CHART, VALUES, Balancer, Release
from tests.support.run import wait_for

BAD = [
    ({"smtpGatway": {"replicas": 2}}, "smtpGatway"),
    ({"hostname": "mail example"}, "hostname"),
    ({"exposure": {"type": "Balancer"}}, "exposure"),
    ({"proxyProtocol": {"enabled": True}}, "trustedProxies"),
    ({"settings": {"OPEN_SMTP": "true"}}, "OPEN_SMTP"),
    ({"postgres": {"bundled": False}}, "database.existingSecret"),
    ({"tls": {"selfSigned": False}}, "tls"),
    ({"extraEnv": [{"name": "POSTRIDER_GRANT_DENY_NETWORKS", "value": ""}]}, "extraEnv"),
]


@pytest.fixture
def other(cluster: Cluster, balancer: Balancer) -> Release:
    return Release(cluster, balancer, namespace="wrong")


@pytest.mark.parametrize(("values", "named"), BAD, ids=[named for _, named in BAD])
def test_bad_values_are_refused_before_anything_is_made(
    other: Release, tmp_path: Path, values: dict[str, object], named: str
) -> None:

    file = tmp_path / "bad.json"
    file.write_text(json.dumps(values))
    with pytest.raises(KitError) as refused:
        other.helm("install", str(CHART), *VALUES, "-f", str(file))
    assert named in str(refused.value)
    assert not other.objects("deployments,jobs,services")
    print(str(refused.value).splitlines()[-1][:200])


def test_a_missing_secret_is_named(other: Release) -> None:
    with pytest.raises(KitError) as refused:
        other.install("--set", "postgres.bundled=false", "--set", "database.existingSecret=nowhere")
    assert 'database.existingSecret: there is no secret "nowhere" in namespace "wrong"' in str(refused.value)
    assert not other.objects("deployments,jobs,services")


def test_a_wrong_password_fails_the_release_and_is_said_in_one_sentence(release: Release, other: Release) -> None:
    keys = {
        "host": f"{release.prefix}-postgres.{release.namespace}.svc.cluster.local",
        "port": "5432",
        "dbname": "postrider",
        "username": "postrider",
        "password": "not-the-password",
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "database"},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()},
    }
    other.cluster.kubectl("-n", "wrong", "apply", "--server-side", "-f", "-", data=json.dumps(secret).encode())
    started = time.monotonic()
    with pytest.raises(KitError) as failed:
        other.helm(
            "install",
            str(CHART),
            *VALUES,
            "--wait",
            "--wait-for-jobs",
            "--timeout",
            "60s",
            "--set",
            "postgres.bundled=false",
            "--set",
            "database.existingSecret=database",
            "--set",
            "migrations.backoffLimit=1",
        )
    print(f"failed after {time.monotonic() - started:.1f} s: {str(failed.value).splitlines()[-1][:300]}")
    assert "migrate" in str(failed.value)

    def said() -> list[str]:
        names = [pod["metadata"]["name"] for pod in other.pods("migrate")]
        logs = [other.kubectl("logs", name, "--all-containers", "--prefix", check=False) for name in names]
        return [line for log in logs for line in log.splitlines()]

    # helm's time may be over before the job's pod has had its own
    lines = wait_for(
        lambda: [line.partition("] ")[2] for line in said() if "password" in line], 60, "the job's sentence"
    )
    print(lines[0])
    assert "Traceback" not in "\n".join(said())
    assert "not-the-password" not in "\n".join(said())
    other.helm("uninstall", "--wait", "--timeout", "2m")
    wait_for(lambda: not other.objects("pods"), 60)
