"""What Helm looks up in the cluster while it renders: nodes for the deny list, and the secrets that are already there.

The API server is the smallest one that Helm's `lookup` can talk to; `make cluster-test` has the real one.
"""

import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.chart import Object, environment, kind, run, workloads

#: What the API has, by group and version; Node alone lies outside namespaces.
KINDS = {
    "v1": ("Node", "Secret", "ConfigMap", "Service", "ServiceAccount", "PersistentVolumeClaim", "Pod"),
    "apps/v1": ("Deployment", "StatefulSet"),
    "batch/v1": ("Job",),
    "policy/v1": ("PodDisruptionBudget",),
    "networking.k8s.io/v1": ("NetworkPolicy",),
}


def resources(version: str) -> dict[str, Any]:
    found = [
        {
            "name": kind.lower().removesuffix("y") + ("ies" if kind.endswith("y") else "s"),
            "kind": kind,
            "namespaced": kind != "Node",
            "verbs": ["get", "list"],
        }
        for kind in KINDS[version]
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": found}


def groups() -> list[dict[str, Any]]:
    each = [{"groupVersion": name, "version": "v1"} for name in KINDS if "/" in name]
    return [{"name": one["groupVersion"].partition("/")[0], "versions": [one], "preferredVersion": one} for one in each]


#: What any API server says of itself.
GENERAL: dict[str, dict[str, Any]] = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.2"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups()},
    "/api/v1": resources("v1"),
    **{f"/apis/{name}": resources(name) for name in KINDS if "/" in name},
}


class Cluster:
    """Answers discovery and GET for the objects it was given, by path below /api/v1."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, Any] = {"namespaces/mail/configmaps/kube-root-ca.crt": {"kind": "ConfigMap"}}
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0].rstrip("/")
                found = GENERAL.get(path) or cluster.answer(path.removeprefix("/api/v1").strip("/"))
                text = json.dumps(
                    found
                    or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
                ).encode()
                self.send_response(200 if found else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.config = folder / "kubeconfig"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "users": [{"name": "u", "user": {}}],
                    "current-context": "c",
                }
            )
        )

    def answer(self, path: str) -> dict[str, Any] | None:
        if path == "nodes":
            return {"kind": "NodeList", "apiVersion": "v1", "items": self.objects.get("nodes", [])}
        found = self.objects.get(path)
        return None if found is None else {"apiVersion": "v1", **found}

    def node(self, pods: list[str], *addresses: tuple[str, str]) -> None:
        self.objects.setdefault("nodes", []).append(
            {
                "kind": "Node",
                "apiVersion": "v1",
                "metadata": {"name": f"n{len(self.objects)}"},
                "spec": {"podCIDRs": pods} if pods else {},
                "status": {"addresses": [{"type": type_, "address": address} for type_, address in addresses]},
            }
        )

    def secret(self, found: dict[str, Any]) -> None:
        self.objects[f"namespaces/mail/secrets/{found['metadata']['name']}"] = found

    def template(self, ci: str, *more: str) -> subprocess.CompletedProcess[str]:
        return run(
            "template",
            "postrider",
            ".",
            "--namespace",
            "mail",
            "--dry-run=server",
            "--disable-openapi-validation",
            "--kubeconfig",
            str(self.config),
            "--values",
            f"ci/{ci}",
            *more,
        )

    def render(self, *more: str) -> list[Object]:
        done = self.template("two-core-values.yaml", *more)
        assert done.returncode == 0, done.stderr
        return [each for each in yaml.safe_load_all(done.stdout) if each]

    def refusal(self, ci: str, *more: str) -> str:
        done = self.template(ci, *more)
        assert done.returncode != 0
        return done.stderr


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


LOOKED_UP = ("--set-json", 'network={"podNetworks":[],"nodeNetworks":[]}')


def test_networks_come_from_the_nodes(cluster: Cluster) -> None:
    cluster.node(["10.244.1.0/24", "fd00:1::/64"], ("InternalIP", "192.168.7.2"), ("Hostname", "b"))
    cluster.node(["10.244.0.0/24"], ("InternalIP", "192.168.7.1"), ("ExternalIP", "203.0.113.9"))
    deny = environment(workloads(cluster.render(*LOOKED_UP))["auth"])["POSTRIDER_GRANT_DENY_NETWORKS"].split(",")
    assert deny == sorted(
        ["10.244.0.0/24", "10.244.1.0/24", "fd00:1::/64", "192.168.7.1", "192.168.7.2", "203.0.113.9"]
    )


def test_service_networks_are_denied_to_outbound_mail_only(cluster: Cluster) -> None:
    cluster.node(["10.9.0.0/24"], ("InternalIP", "192.168.7.2"))
    env = {
        name: environment(workload)
        for name, workload in workloads(
            cluster.render("--set-json", 'network.serviceNetworks=["192.0.2.0/24","2001:db8:5::/112"]')
        ).items()
    }
    grants = set(env["auth"]["POSTRIDER_GRANT_DENY_NETWORKS"].split(","))
    outbound = set(env["queue-worker"]["POSTRIDER_REMOTE_DENY_NETWORKS"].split(","))
    assert outbound == grants | {"192.0.2.0/24", "2001:db8:5::/112"} and len(outbound) == len(grants) + 2


def test_values_win_over_what_the_nodes_say(cluster: Cluster) -> None:
    cluster.node(["10.9.0.0/24"], ("InternalIP", "192.168.7.2"))
    objects = cluster.render("--set-json", "network.nodeNetworks=[]")
    deny = environment(workloads(objects)["auth"])["POSTRIDER_GRANT_DENY_NETWORKS"]
    assert deny == "10.244.0.0/16,192.168.7.2"


def test_nodes_that_name_no_pod_network_stop_the_install(cluster: Cluster) -> None:
    cluster.node([], ("InternalIP", "192.168.7.2"))
    said = cluster.refusal("two-core-values.yaml", *LOOKED_UP)
    assert "network.podNetworks: the cluster's nodes do not say" in said


def test_secrets_stay_what_they_are(cluster: Cluster) -> None:
    first = cluster.render()
    for secret in kind(first, "Secret").values():
        cluster.secret(secret)
    second = cluster.render("--is-upgrade")
    assert kind(second, "Secret") == kind(first, "Secret")


def test_another_generation_makes_new_tokens_and_nothing_else(cluster: Cluster) -> None:
    first = cluster.render()
    for secret in kind(first, "Secret").values():
        cluster.secret(secret)
    second = cluster.render("--is-upgrade", "--set", "tokens.generation=2")
    before, after = kind(first, "Secret"), kind(second, "Secret")
    changed = {name for name in before if before[name]["data"] != after[name]["data"]}
    assert changed == {"postrider-tokens"}
    old, new = before["postrider-tokens"]["data"], after["postrider-tokens"]["data"]
    assert set(old) == set(new) and not [key for key in old if old[key] == new[key]]
    assert all(len(base64.b64decode(value)) == 40 for value in new.values())
    for service in workloads(first):  # and every pod starts anew with them
        one, two = (workloads(found)[service]["spec"]["template"]["metadata"] for found in (first, second))
        assert one["annotations"] != two["annotations"]


def test_a_secret_that_is_not_there_is_said_before_anything_is_made(cluster: Cluster) -> None:
    error = cluster.refusal("cluster-policy-values.yaml")
    assert 'database.existingSecret: there is no secret "postgres" in namespace "mail"' in error
    cluster.secret({"kind": "Secret", "metadata": {"name": "postgres"}, "data": {}})
    error = cluster.refusal("cluster-policy-values.yaml")
    assert 'tls.existingSecret: there is no secret "mail-tls" in namespace "mail"' in error
