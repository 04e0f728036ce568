"""A one-node cluster: started in seconds, gone without a trace.

Everything runs below one process that holds a PID, a mount and a network namespace. Nothing of it is visible outside:
no interface, no mount, no firewall rule. Ending that one process lets the kernel end the rest; what remains to be done
is to remove the cgroups and the run's folder. A second process holds the network namespace of the outside world, where
the tests' clients live.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mailkit.testing.speed import patient
from tests.cluster.kit import config, pki
from tests.cluster.kit.build import KitError, cache, install, say

STATE = Path("/run/postrider-cluster.json")
LOCK = Path("/run/postrider-cluster.lock")
VOLUMES = 4
MANIFESTS = Path(__file__).parent / "manifests"


def _born(pid: int) -> str | None:
    """When a process started, in the kernel's ticks: a pid alone may be somebody else's by now."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _child(pid: int) -> int | None:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(listed[0]) if listed else None


def until(what: str, holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait for a condition; a sentence when it does not come true in time. `seconds` are those of an idle machine."""
    seconds = patient(seconds)
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise KitError(f"{what} did not happen within {seconds:.0f} seconds")
        time.sleep(0.1)


def check_root() -> None:
    if os.geteuid():
        raise KitError("the test cluster needs root: it makes namespaces and cgroups of its own")


class Cluster:
    """A running cluster, as the state file says it."""

    own = True
    """Made by this kit, for the tests alone."""

    def __init__(self, folder: Path, node: int, client: int, programs: Mapping[str, Path]) -> None:
        self.folder, self.node, self.client, self.programs = folder, node, client, dict(programs)
        self.kubeconfig = folder / "pki" / "admin.conf"

    # -- inside -----------------------------------------------------------------------------------------------------
    def environment(self) -> dict[str, str]:
        folders = dict.fromkeys(str(path.parent) for path in self.programs.values())
        return os.environ | {
            "PATH": ":".join([*folders, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
            "KUBECONFIG": str(self.kubeconfig),
            "HELM_CACHE_HOME": str(self.folder / "helm"),
            "HELM_CONFIG_HOME": str(self.folder / "helm"),
            "HELM_DATA_HOME": str(self.folder / "helm"),
        }

    def on_node(self, *command: str) -> list[str]:
        """In the node's own world: its mounts and processes."""
        return ["nsenter", f"--target={self.node}", "--mount", "--net", "--pid", "--", *command]

    def in_network(self, *command: str) -> list[str]:
        """With the node's network and this machine's files: kubectl, helm."""
        return ["nsenter", f"--target={self.node}", "--net", "--", *command]

    def as_client(self, *command: str) -> list[str]:
        """With the outside world's network: a mail client somewhere on the internet."""
        return ["nsenter", f"--target={self.client}", "--net", "--", *command]

    def run(self, *command: str, data: bytes | None = None, check: bool = True, seconds: float = 300) -> str:
        """kubectl or helm; its output. Raises KitError with what it said."""
        full = self.in_network(str(self.programs.get(command[0], command[0])), *command[1:])
        done = subprocess.run(full, input=data, env=self.environment(), capture_output=True, timeout=patient(seconds))
        if check and done.returncode:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise KitError(f"{' '.join(command)[:200]} ended with {done.returncode}: {said[-4000:]}")
        return done.stdout.decode(errors="replace")

    def kubectl(self, *arguments: str, data: bytes | None = None, check: bool = True) -> str:
        return self.run("kubectl", *arguments, data=data, check=check)

    def namespace(self, name: str) -> str:
        """What the tests' namespace `name` is called here."""
        return name

    def load(self, archives: Iterable[bytes | Path]) -> None:
        """Bring images into the node's containerd."""
        for item in archives:
            ctr = [str(self.programs["ctr"]), f"--address={config.SOCKET}", "--namespace=k8s.io", "images", "import"]
            if isinstance(item, Path):
                with item.open("rb") as file:
                    done = subprocess.run(self.on_node(*ctr, "--local", "-"), stdin=file, capture_output=True)
            else:
                done = subprocess.run(self.on_node(*ctr, "--local", "-"), input=item, capture_output=True)
            if done.returncode:
                raise KitError(f"importing an image failed: {done.stderr.decode()[-600:]}")


# -- start --------------------------------------------------------------------------------------------------------------
def _hold(programs: Mapping[str, Path], *flags: str, before: str = "") -> int:
    """A process with namespaces of its own; returns its pid as seen from here. It outlives the one who started it."""
    command = ["unshare", *flags, "sh", "-c", f"set -e; {before} exec {programs['pause']}"]
    log = (cache() / "node" / "logs" / "namespaces.log").open("ab")
    with log:
        process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    pid = process.pid
    if "--fork" in flags:
        until("a namespace", lambda: process.poll() is not None or _child(pid))
        pid = _child(pid) or pid

    def ready() -> bool:
        if process.poll() is not None:
            raise KitError("making a namespace failed (is this a container without CAP_SYS_ADMIN?)")
        try:
            return os.readlink(f"/proc/{pid}/exe") == str(programs["pause"])
        except OSError:
            return False

    until("a namespace of its own", ready)
    return pid


def _network(node: int, client: int) -> None:
    """The node's address, the outside world, and the way between them."""

    def ip(pid: int, text: str) -> None:
        done = subprocess.run(["nsenter", f"--target={pid}", "--net", *text.split()], capture_output=True, text=True)
        if done.returncode:
            raise KitError(f"{text}: {done.stderr.strip()}")

    ip(node, "ip link set lo up")
    ip(client, "ip link set lo up")
    ip(node, f"ip link add outside type veth peer name eth0 netns {client}")
    ip(node, "ip link add uplink type veth peer name uplink-end")
    for link in ("outside", "uplink", "uplink-end"):
        ip(node, f"ip link set {link} up")
    ip(node, f"ip address add {config.NODE_ADDRESS}/24 dev uplink")
    ip(node, f"ip address add {config.OUTSIDE_GATEWAY}/24 dev outside")
    ip(node, "ip route add default via 192.168.77.1 dev uplink")
    ip(node, "sysctl -qw net.ipv4.ip_forward=1")
    ip(client, "ip link set eth0 up")
    for address in config.CLIENT_ADDRESSES:
        ip(client, f"ip address add {address}/24 dev eth0")
    ip(client, f"ip route add default via {config.OUTSIDE_GATEWAY}")


def _cgroups() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root / config.CGROUP]
    return [path / config.CGROUP for path in root.iterdir() if (path / "cgroup.procs").exists()]


def _daemon(cluster: Cluster, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    with (cluster.folder / "logs" / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            cluster.on_node(*command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=cluster.environment() | {"KUBECONFIG": ""},
            start_new_session=True,
        )


@contextmanager
def claim() -> Iterator[None]:
    """One run at a time: a second one would take the first one's cluster away. Raises KitError when another is under way."""
    check_root()
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise KitError("another run is using its cluster on this machine; wait for its end") from None
        yield


def start(programs: Mapping[str, Path], images: Iterable[bytes | Path]) -> Cluster:
    """Start a fresh cluster; one that an earlier run left is removed first, and so is one that did not come up."""
    check_root()
    stop()
    try:
        return _start(programs, images)
    except BaseException:
        stop()
        raise


def _start(programs: Mapping[str, Path], images: Iterable[bytes | Path]) -> Cluster:
    missing = [package for tool, package in {"nft": "nftables", "ip": "iproute2"}.items() if not shutil.which(tool)]
    if missing:
        install(*missing)
    folder = cache() / "node"
    for name in ("logs/pods", "cni", "kubelet", "volumes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    # tmpfs over what the programs write to outside their own folders, so that nothing of it reaches this machine
    before = (
        f"mount -t tmpfs run /run; mkdir -p {config.RUN}; mount --bind {folder} {config.RUN};"
        " mount --make-rshared /; for place in /var/lib /var/log /opt; do mkdir -p $place; mount -t tmpfs node $place; done;"
    )
    if str(folder).startswith(("/var/lib/", "/var/log/", "/opt/", "/run/")):
        raise KitError(f"XDG_CACHE_HOME may not be below /var/lib, /var/log, /opt or /run ({folder})")
    client = _hold(programs, "--net")
    _remember(folder, {"client": client})
    node = _hold(
        programs, "--net", "--mount", "--propagation=private", "--pid", "--fork", "--mount-proc", before=before
    )
    _remember(folder, {"client": client, "node": node})
    cluster = Cluster(folder, node, client, programs)
    _network(node, client)
    for path in _cgroups():
        path.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # cgroup v1 leaves them empty, and nothing could run inside
            if (path / name).exists():
                (path / name).write_text((path.parent / name).read_text())
    pki.make(folder / "pki", config.NODE, config.NODE_ADDRESS, config.API_SERVICE)
    for name, text in config.files(programs).items():
        (folder / name).write_text(text)
    daemons = {}
    late = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
    all_commands = config.commands(programs)
    for name, command in all_commands.items():
        if name not in late:
            daemons[name] = _daemon(cluster, name, command)

    def alive() -> None:
        for name, process in daemons.items():
            if process.poll() is not None:
                log = (folder / "logs" / f"{name}.log").read_text(errors="replace")
                raise KitError(f"{name} ended: {log[-1500:]}")

    def api() -> bool:
        alive()
        return cluster.kubectl("get", "--raw=/readyz", check=False) == "ok"

    until("the API server's readiness", api, 120)
    for name in late:
        daemons[name] = _daemon(cluster, name, all_commands[name])
    cluster.load(images)
    for number in range(VOLUMES):
        (folder / f"volumes/{number}").mkdir(exist_ok=True)
        cluster.kubectl("apply", "--server-side", "-f", "-", data=json.dumps(config.volume(number)).encode())
    for manifest in sorted(MANIFESTS.glob("*.yaml")):
        cluster.kubectl("apply", "--server-side", "-f", str(manifest))

    def ready() -> bool:
        alive()
        return "True" in cluster.kubectl(
            "get", "node", config.NODE, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}", check=False
        )

    until("the node's readiness", ready, 120)
    cluster.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", f"--timeout={patient(120):.0f}s")
    say(f"  cluster ready{time.monotonic() - started:23.0f} s")
    return cluster


# -- stop ---------------------------------------------------------------------------------------------------------------
def _remember(folder: Path, pids: Mapping[str, int]) -> None:
    born = {name: [pid, _born(pid)] for name, pid in pids.items()}
    STATE.write_text(json.dumps({"folder": str(folder), "pids": born}))


def keep() -> None:
    """From now on the cluster is somebody's, for hands-on work: tests leave it alone."""
    STATE.write_text(json.dumps(json.loads(STATE.read_text()) | {"kept": True}))


def check_not_kept(programs: Mapping[str, Path]) -> None:
    """Raises KitError when a cluster is up for hands-on work; one that a killed run left is not."""
    if current(programs) and json.loads(STATE.read_text()).get("kept"):
        raise KitError(
            "a cluster is up for hands-on work: POSTRIDER_TEST_KEEP_CLUSTER=1 tests on it, make cluster-down ends it"
        )


def current(programs: Mapping[str, Path]) -> Cluster | None:
    """The cluster that is up, if one is."""
    try:
        state = json.loads(STATE.read_text())
        pids = {name: pid for name, (pid, born) in state["pids"].items() if _born(pid) == born is not None}
        return Cluster(Path(state["folder"]), pids["node"], pids["client"], programs)
    except (OSError, ValueError, KeyError):
        return None


def stop() -> None:
    """Leave nothing: no process, mount, interface, cgroup or file. Also for a run that was killed."""
    check_root()
    try:
        state = json.loads(STATE.read_text())
    except (OSError, ValueError):
        state = {"pids": {}, "folder": str(cache() / "node")}
    for pid, born in state["pids"].values():
        if born is not None and _born(pid) == born:
            os.kill(pid, signal.SIGKILL)  # PID 1 of its namespace: the kernel ends everything in it

    def gone() -> bool:
        return all(_born(pid) != born or _zombie(pid) for pid, born in state["pids"].values())

    until("the end of the cluster's processes", gone, 60)
    for top in _cgroups():

        def removed(top: Path = top) -> bool:
            for path in sorted([p for p in top.rglob("*") if p.is_dir()] + [top], reverse=True):
                try:
                    path.rmdir()
                except OSError:
                    pass
            return not top.exists()

        until(f"the removal of {top}", removed, 30)
    folder = Path(state["folder"])
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(0.1)
    STATE.unlink(missing_ok=True)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True
