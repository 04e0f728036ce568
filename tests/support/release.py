"""The same tests against a release on Kubernetes: what a test asks of a `Run`, answered by Services and REST endpoints.

The test process is in the clients' network (`tests/cluster/test_01_rows.py` starts it there). A test's loopback
addresses stand for clients and remote hosts; here each is an address of the outside world's with the same end.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mailkit.testing.speed import patient
from tests.support.run import Run
from tests.support.world import World

T = TypeVar("T")
#: Names the file that says where the release is: hosts, urls, admin_token, ca_file, name, node (a pid), clients, remotes.
VARIABLE = "POSTRIDER_TEST_RELEASE"


def given() -> dict[str, Any] | None:
    """The release to test, when there is one."""
    name = os.environ.get(VARIABLE)
    found: dict[str, Any] | None = json.loads(Path(name).read_text()) if name else None
    return found


def world_of(release: dict[str, Any]) -> World:
    """DNS and remote mail hosts at addresses that the release's pods reach, on the ports of the real ones."""
    return World(network=f"{release['remotes']}.", dns=(f"{release['remotes']}.1", 53), smtp_port=25)


class ReleaseRun(Run):
    """A release that is up; it is never started, stopped or killed from here."""

    _PORTS = {"SMTP": 25, "SMTPS": 465, "SUBMISSION": 587, "POP3": 110, "POP3S": 995, "IMAP": 143, "IMAPS": 993}

    def __init__(self, release: dict[str, Any], state: Path) -> None:
        super().__init__(state)
        self.release = release
        self.name = release["name"]
        self.env = {f"POSTRIDER_{name.upper()}_URL": url for name, url in release["urls"].items()}
        self.env |= {"POSTRIDER_ADMIN_TOKEN": release["admin_token"], "POSTRIDER_CA_FILE": release["ca_file"]}

    def host(self, port: str) -> str:
        found: str = self.release["hosts"]["smtp" if port in ("SMTP", "SMTPS", "SUBMISSION") else "reading"]
        return found

    def source(self, address: str) -> str:
        return f"{self.release['clients']}.{address.rpartition('.')[2]}"

    def port(self, name: str) -> int:
        return self._PORTS[name]

    def environment(self) -> dict[str, str]:
        return super().environment() | self.env

    def _inside(self, *words: str) -> list[str]:
        return ["nsenter", f"--target={self.release['node']}", "--net", "--", *words]

    def cli_process(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = super()._cli(*words)
        return subprocess.run(
            self._inside(*command),
            env=self.environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=patient(60),
        )

    def _inside_call(self, do: Callable[[], T]) -> T:
        from tests.cluster.world import in_namespace

        return in_namespace(self.release["node"], do)

    def api(self, method: str, service: str, path: str, content: Any = None) -> Any:
        return self._inside_call(lambda: super(ReleaseRun, self).api(method, service, path, content))

    def output(self) -> str:
        return ""

    def logs(self) -> str:
        return ""
