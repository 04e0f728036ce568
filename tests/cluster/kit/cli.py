"""`make cluster` and `make cluster-down`: the test cluster with Postrider's images, for hands-on work."""

import os
import sys
from pathlib import Path

from tests.cluster.kit import images, node
from tests.cluster.kit.build import KitError, binaries, check_go, say

_HELP = """
The cluster is up; nothing of it is visible outside its own namespaces. What to type:

  scripts/cluster kubectl get pods -A
  scripts/cluster helm install postrider charts/postrider -f charts/postrider/ci/two-core-values.yaml --wait --wait-for-jobs
  scripts/cluster shell      a shell with kubectl and helm in the cluster's network
  scripts/cluster client     a shell in the outside world's network, as a mail client has it
  make cluster-down          the end of it
"""


def up() -> node.Cluster:
    """Everything that is missing is built; then a fresh cluster with all images."""
    node.check_root()
    check_go()
    say("programs")
    programs = binaries()
    say("images")
    archives: list[bytes | Path] = [*images.cluster_images(), images.archive()]
    say("cluster")
    return node.start(programs, archives)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["up"]:
            with node.claim():
                up()
                node.keep()
            print(_HELP)
        case ["down"]:
            node.stop()
        case [name, *rest] if name in ("kubectl", "helm", "shell", "client"):
            node.check_root()
            running = node.current(binaries())
            if running is None:
                raise KitError("no cluster is up: make cluster")
            shell = os.environ.get("SHELL") or "/bin/sh"
            if name == "client":
                command = running.as_client(*(rest or [shell]))
            elif name == "shell":
                command = running.in_network(*(rest or [shell]))
            else:
                command = running.in_network(str(running.programs[name]), *rest)
            os.execvpe(command[0], command, running.environment())
        case _:
            raise KitError("usage: scripts/cluster up | down | kubectl … | helm … | shell [command] | client [command]")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KitError as error:
        sys.exit(f"cluster: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
