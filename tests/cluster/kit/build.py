"""Go modules -> the binaries of a Kubernetes node. Pinned by tests/cluster/tools/*/go.{mod,sum}; each module is built
once and kept in the cache under a hash of what it was built from."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent / "tools"
GO_MINIMUM = (1, 26)
_K8S = "k8s.io/kubernetes/cmd"
_VERSION = "k8s.io/component-base/version"


class KitError(Exception):
    """One sentence for the person at the keyboard."""


@dataclass(frozen=True)
class Module:
    """One go.mod of ours and the packages that are built from it."""

    name: str
    programs: dict[str, str]
    flags: tuple[str, ...] = ()
    ldflags: str = ""
    cgo: bool = False
    node: bool = field(default=True, repr=False)
    """Part of a node; the others are built by name only. Not in the name of the cache's folder."""


#: In the order they are built: the small ones first, so that a mistake in the set-up shows early.
MODULES = (
    Module("pause", {"pause": "postrider.test/cluster/pause"}),
    Module("helm", {"helm": "helm.sh/helm/v4/cmd/helm"}),
    Module(
        "cni",
        {
            "bridge": "github.com/containernetworking/plugins/plugins/main/bridge",
            "loopback": "github.com/containernetworking/plugins/plugins/main/loopback",
            "host-local": "github.com/containernetworking/plugins/plugins/ipam/host-local",
            "portmap": "github.com/containernetworking/plugins/plugins/meta/portmap",
        },
    ),
    Module("runc", {"runc": "github.com/opencontainers/runc"}, flags=("-tags", "seccomp"), cgo=True),
    Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Module(
        "containerd",
        {
            "containerd": "github.com/containerd/containerd/v2/cmd/containerd",
            "containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            "ctr": "github.com/containerd/containerd/v2/cmd/ctr",
        },
    ),
    Module(
        "kubernetes",
        {
            name: f"{_K8S}/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        },
        ldflags=f"-X {_VERSION}.gitVersion=v1.37.2 -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=37",
    ),
    Module("coredns", {"coredns": "github.com/coredns/coredns"}),
    Module("metrics-server", {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"}),
    Module("objectstore", {"weed": "github.com/seaweedfs/seaweedfs/weed"}, node=False),
)

_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
_CRDS = (
    ("github.com/cert-manager/cert-manager", "deploy/crds/cert-manager.io_certificates.yaml"),
    ("github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    (_OPERATOR, "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"),
    (_OPERATOR, "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"),
    (_OPERATOR, "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"),
)


def cache() -> Path:
    """Where everything is kept that need not be made twice."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "postrider" / "cluster"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def check_go() -> None:
    """Raises KitError where Go is missing or too old."""
    go = shutil.which("go")
    found = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True).stdout.strip() if go else ""
    match = re.match(r"go(\d+)\.(\d+)", found)
    if not match or (int(match[1]), int(match[2])) < GO_MINIMUM:
        raise KitError(
            f"the test cluster is built from Go modules and needs Go {GO_MINIMUM[0]}.{GO_MINIMUM[1]} or newer"
            f" ({found or 'none'} found)"
        )


def folder(module: Module) -> Path:
    """The module's own folder in the cache; another go.mod, go.sum, source or flag is another folder."""
    digest = hashlib.sha256(repr(module).encode())
    for path in sorted((TOOLS / module.name).iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return cache() / "bin" / f"{module.name}-{digest.hexdigest()[:12]}"


def build(module: Module) -> Path:
    """Build what is missing of one module and return its folder."""
    target = folder(module)
    if all((target / name).exists() for name in module.programs):
        return target
    check_go()
    if module.cgo and subprocess.run(["pkg-config", "--exists", "libseccomp"]).returncode:
        install("gcc", "libc6-dev", "pkg-config", "libseccomp-dev")
    target.mkdir(parents=True, exist_ok=True)
    env = os.environ | {"CGO_ENABLED": str(int(module.cgo)), "GOFLAGS": "-mod=readonly -buildvcs=false"}
    for name, package in module.programs.items():
        started = time.monotonic()
        part = target / f"{name}.part"
        command = ["nice", "-n", "10", "go", "build", "-trimpath", *module.flags]
        command += ["-ldflags", f"-s -w {module.ldflags}", "-o", str(part), package]
        done = subprocess.run(command, cwd=TOOLS / module.name, env=env, capture_output=True, text=True)
        if done.returncode:
            raise KitError(f"building {name} failed:\n{done.stderr[-3000:]}")
        part.rename(target / name)  # a build that was cut short leaves no program that looks whole
        say(f"  built {name:<26}{time.monotonic() - started:6.0f} s")
    return target


def binaries(names: Iterable[str] = ()) -> dict[str, Path]:
    """Every program by name, built where it is missing. One builder at a time; a second one waits and finds it done."""
    wanted = set(names)
    chosen = [module for module in MODULES if (wanted & set(module.programs) if wanted else module.node)]
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {name: build(module) / name for module in chosen for name in module.programs}


def definitions() -> list[Path]:
    """The custom resources' definitions that the chart has to fit: cert-manager's, KEDA's and the Prometheus operator's."""
    check_go()
    done = subprocess.run(
        ["go", "mod", "download", "-json", *dict(_CRDS)],
        cwd=TOOLS / "crds",
        capture_output=True,
        text=True,
        env=os.environ | {"GOFLAGS": "-mod=readonly"},
    )
    if done.returncode:
        raise KitError(f"fetching the custom resources' definitions failed: {done.stderr.strip()[-600:]}")
    folders = dict(re.findall(r'"Path": "([^"]+)",.*?"Dir": "([^"]+)"', done.stdout, re.S))
    return [Path(folders[module], path) for module, path in _CRDS]


def install(*packages: str) -> None:
    """Debian packages that the kit itself needs."""
    say(f"  apt-get install {' '.join(packages)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", *packages]):
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        if done.returncode:
            raise KitError(f"{' '.join(command)} failed: {(done.stderr.strip() or done.stdout.strip())[-400:]}")


if __name__ == "__main__":
    try:
        for program, path in binaries(sys.argv[1:]).items():
            print(program, path)
    except KitError as error:
        sys.exit(f"cluster: {error}")
