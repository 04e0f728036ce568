"""The cluster at hand instead of our own: kubectl's current context, when POSTRIDER_TEST_CONTEXT names it.

Everything happens in namespaces of the tests' own, which are deleted at the end. The images have to be where its nodes
pull from (POSTRIDER_TEST_VALUES: values files that say so), and its cloud has to give LoadBalancers their addresses.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.kit.build import KitError
from tests.cluster.kit.node import Cluster

CONTEXT = os.environ.get("POSTRIDER_TEST_CONTEXT", "")
VALUES = [name for name in os.environ.get("POSTRIDER_TEST_VALUES", "").split(",") if name]


class Given(Cluster):
    """Somebody's cluster; this machine is node and client alike."""

    own = False

    def __init__(self) -> None:
        found = {name: shutil.which(name) for name in ("kubectl", "helm")}
        for name, path in found.items():
            if path is None:
                raise KitError(f"running against a context at hand needs {name} on PATH")
        super().__init__(Path(), os.getpid(), os.getpid(), {name: Path(path) for name, path in found.items() if path})
        current = subprocess.run(
            ["kubectl", "config", "current-context"], capture_output=True, text=True
        ).stdout.strip()
        if current != CONTEXT:
            raise KitError(
                f"kubectl's current context is {current or 'none'}, and POSTRIDER_TEST_CONTEXT says {CONTEXT}"
            )
        for name in VALUES:
            if not Path(name).is_file():
                raise KitError(f"POSTRIDER_TEST_VALUES: there is no file {name}")
        self.namespaces: list[str] = []

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def in_network(self, *command: str) -> list[str]:
        return list(command)

    as_client = on_node = in_network

    def namespace(self, name: str) -> str:
        self.namespaces.append(f"postrider-test-{name}")
        return self.namespaces[-1]

    def load(self, archives: Iterable[bytes | Path]) -> None:
        raise KitError("images are not brought into a cluster at hand")

    def close(self) -> None:
        """Delete what the tests made, with its volumes."""
        for name in self.namespaces:
            self.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false", check=False)
