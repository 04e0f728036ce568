"""What the cluster's tests share: a release of the chart, clients outside the cluster, and the cloud's controller."""

import base64
import ctypes
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mailkit.testing.speed import patient
from tests.cluster.kit import config, given
from tests.cluster.kit.node import Cluster
from tests.support.run import wait_for

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "postrider"
#: helm's arguments for a small cluster, and for the one at hand where there is one.
VALUES = [part for name in (CHART / "ci" / "two-core-values.yaml", *given.VALUES) for part in ("-f", str(name))]
#: Where clients dial from; towards a cluster at hand, all from wherever this machine is.
HOME, OFFICE, STRANGER = ("", "", "") if given.CONTEXT else config.CLIENT_ADDRESSES
DEPLOYMENTS = ("auth", "mailstore", "queue-worker", "smtp-gateway", "pop-imap-frontend")
_CLONE_NEWNET = 0x40000000

_HTTP = {"auth": 8001, "queue-worker": 8002, "mailstore": 8003}
#: Asks the service in the same pod; the request comes on standard input, where no process list shows its token.
_ASK = """
import json, os, sys, urllib.request
asked = json.load(sys.stdin)
request = urllib.request.Request(
    asked["url"],
    None if asked["body"] is None else json.dumps(asked["body"]).encode(),
    {"Authorization": "Bearer " + asked["token"], "Content-Type": "application/json"},
    method=asked["method"],
)
print(urllib.request.urlopen(request, timeout=30).read().decode())
"""


def in_namespace(pid: int, do: Callable[[], T]) -> T:
    """Call `do` in a thread that has joined the process's network: its sockets are there."""
    if pid == os.getpid():
        return do()
    result: list[T] = []
    trouble: list[BaseException] = []

    def run() -> None:
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(descriptor)
            result.append(do())
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return result[0]


class Balancer:
    """The cloud's controller: gives every Service of type LoadBalancer an address outside the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.addresses: dict[str, str] = {}
        line = "{.metadata.namespace} {.metadata.name} {.spec.type} {.status.loadBalancer.ingress[0].ip}"
        line += "{.status.loadBalancer.ingress[0].hostname}{'\\n'}"
        command = [str(cluster.programs["kubectl"]), "get", "services", "-A", "--watch", "-o", f"jsonpath={line}"]
        self.process = subprocess.Popen(
            cluster.in_network(*command), env=cluster.environment(), stdout=subprocess.PIPE, text=True
        )
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            words = line.split()
            if words[2] != "LoadBalancer":
                continue
            if len(words) == 4:  # it has its address already
                self.addresses[f"{words[0]}/{words[1]}"] = words[3]
                continue
            if not self.cluster.own:  # its own cloud will
                continue
            address = self.addresses.setdefault(f"{words[0]}/{words[1]}", f"{config.BALANCER}{len(self.addresses) + 1}")
            status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
            self.cluster.kubectl(
                "-n",
                words[0],
                "patch",
                "service",
                words[1],
                "--subresource=status",
                "--type=merge",
                "-p",
                json.dumps(status),
                check=False,
            )

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.thread.join(5)


class Release:
    """One release of the chart in a namespace that admits restricted pods only."""

    def __init__(self, cluster: Cluster, balancer: Balancer, name: str = "postrider", namespace: str = "mail") -> None:
        self.cluster, self.balancer, self.name, self.namespace = cluster, balancer, name, cluster.namespace(namespace)
        self.prefix = name if "postrider" in name else f"{name}-postrider"
        manifest = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
        cluster.kubectl("apply", "--server-side", "-f", "-", data=json.dumps(manifest).encode())

    # -- helm and kubectl
    def helm(self, verb: str, *arguments: str, check: bool = True) -> str:
        return self.cluster.run(
            "helm", verb, self.name, "--namespace", self.namespace, *arguments, check=check, seconds=900
        )

    def install(self, *arguments: str) -> str:
        return self.helm("install", str(CHART), *VALUES, "--wait", "--wait-for-jobs", "--timeout", "5m", *arguments)

    def uninstall(self) -> str:
        return self.helm("uninstall", "--wait", "--timeout", "5m")

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, check=check)

    def objects(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-o", "json", *arguments))["items"]
        return found

    def pods(self, component: str) -> list[dict[str, Any]]:
        return self.objects("pods", "-l", f"app.kubernetes.io/component={component}")

    def logs(self) -> str:
        """The ends of all pods' logs and what is not ready: what a failed test shows."""
        parts = [self.kubectl("get", "pods", "-o", "wide", check=False)]
        for pod in self.objects("pods"):
            name = pod["metadata"]["name"]
            parts.append(f"--- {name}\n" + self.kubectl("logs", name, "--all-containers", "--tail=12", check=False))
        parts.append(self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False)[-3000:])
        return "\n".join(parts)

    # -- reaching it
    def address(self, component: str) -> str:
        """The public address of smtp-gateway or pop-imap-frontend."""
        name = f"{self.namespace}/{self.prefix}-{component}-public"
        return wait_for(lambda: self.balancer.addresses.get(name, ""))

    @property
    def smtp(self) -> str:
        return self.address("smtp-gateway")

    @property
    def reading(self) -> str:
        return self.address("pop-imap-frontend")

    def outside(self, do: Callable[[], T]) -> T:
        """As somebody on the internet."""
        return in_namespace(self.cluster.client, do)

    def admin_token(self) -> str:
        secret = json.loads(self.kubectl("get", "secret", f"{self.prefix}-tokens", "-o", "json"))
        return base64.b64decode(secret["data"]["POSTRIDER_ADMIN_TOKEN"]).decode()

    def admin(self, method: str, service: str, path: str, body: object = None) -> Any:
        """The operators' endpoint of a service, from within its pod: the one place that reaches it in any cluster."""
        url = f"http://127.0.0.1:{_HTTP[service]}/v1/{path}"
        asked = {"method": method, "url": url, "body": body, "token": self.admin_token()}
        said = self.cluster.kubectl(
            "-n",
            self.namespace,
            "exec",
            "-i",
            f"deployment/{self.prefix}-{service}",
            "--",
            "python",
            "-c",
            _ASK,
            data=json.dumps(asked).encode(),
        )
        return json.loads(said) if said.strip() else None

    def ready(self, seconds: int = 300) -> float:
        """All five ready; how long it took."""
        started = time.monotonic()
        for name in DEPLOYMENTS:
            self.kubectl("rollout", "status", f"deployment/{self.prefix}-{name}", f"--timeout={patient(seconds):.0f}s")
        return time.monotonic() - started
