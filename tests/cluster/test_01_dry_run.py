"""1, before anything is installed: `helm lint` and the API server's own word on every object of every values file."""

import pytest
import yaml

from mailkit.testing.speed import patient
from tests.cluster.kit import build
from tests.cluster.kit.node import Cluster
from tests.cluster.world import CHART, Balancer, Release

pytestmark = pytest.mark.own_cluster

FILES = sorted((CHART / "ci").glob("*-values.yaml"))


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, balancer: Balancer) -> str:
    """A namespace that admits restricted pods only, on a cluster that knows the custom resources a chart may make."""
    for path in build.definitions():
        cluster.kubectl("apply", "--server-side", "-f", str(path))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", f"--timeout={patient(60):.0f}s")
    return Release(cluster, balancer, namespace="dry").namespace


@pytest.mark.parametrize("values", FILES, ids=[path.stem for path in FILES])
def test_the_api_server_takes_every_object(cluster: Cluster, namespace: str, values: object) -> None:
    print(cluster.run("helm", "lint", "--strict", str(CHART), "-f", str(values)).splitlines()[-1])
    made = cluster.run("helm", "template", "postrider", str(CHART), "--namespace", namespace, "-f", str(values))
    for account in (found for found in yaml.safe_load_all(made) if found and found["kind"] == "ServiceAccount"):
        # a pod is admitted only beside its account, which a dry run does not make
        cluster.kubectl("-n", namespace, "apply", "--server-side", "-f", "-", data=yaml.safe_dump(account).encode())
    taken = cluster.kubectl(
        "-n", namespace, "apply", "--server-side", "--dry-run=server", "-f", "-", data=made.encode()
    ).splitlines()
    assert len(taken) == made.count("\nkind: "), made
    print(f"{len(taken)} objects: " + ", ".join(sorted({line.partition(".")[0].partition("/")[0] for line in taken})))
