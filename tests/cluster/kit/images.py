"""The five images, their base and the cluster's own small ones: built with Docker's BuildKit, kept as archives.

Where a Docker engine answers already it is used. Otherwise Debian's own (docker.io) is started for the build with
everything it owns inside the cache, and stopped after it; the base then comes from debootstrap, so no registry is
needed. With an engine at hand the base is the one that the Dockerfile names by its digest.
"""

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster.kit.build import KitError, binaries, cache, install, say

REPOSITORY = Path(__file__).resolve().parents[3]
SERVICES = ("auth", "mailstore", "queue-worker", "smtp-gateway", "pop-imap-frontend")
REGISTRY = "postrider"
BASE = "postrider-base:bookworm"
POSTGRES = "postgres:15"
_BASE_PACKAGES = "python3,python3-venv,ca-certificates,tzdata,libpython3.11-stdlib"
_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def app_version() -> str:
    """The chart's appVersion, which is the images' tag."""
    found = re.search(r'^appVersion:\s*"?([^"\s]+)', (REPOSITORY / "charts/postrider/Chart.yaml").read_text(), re.M)
    if not found:
        raise KitError("charts/postrider/Chart.yaml says no appVersion")
    return found[1]


def names(tag: str = "") -> list[str]:
    return [f"{REGISTRY}/{service}:{tag or app_version()}" for service in SERVICES]


@contextmanager
def engine() -> Iterator[list[str]]:
    """The start of a docker command line that works: a running engine's, or that of one started for the time being."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "version"], capture_output=True).returncode == 0:
        yield [docker]
        return
    if os.geteuid():
        raise KitError("no Docker engine answers, and starting one for the build needs root")
    if not shutil.which("dockerd"):
        install("docker.io", "debootstrap")
    root = cache() / "docker"
    root.mkdir(parents=True, exist_ok=True)
    run = Path(tempfile.mkdtemp(prefix="postrider-docker-"))  # a socket's path has to be short
    socket = f"unix://{run}/docker.sock"
    command = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", "--data-root", str(root)]
    command += ["--exec-root", f"{run}/exec", "--pidfile", f"{run}/pid", "-H", socket]
    with (cache() / "dockerd.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    optional = Path("/opt/containerd")  # the engine's containerd makes it, whatever it is told
    was_there = optional.exists()
    client = ["/usr/bin/docker", "-H", socket]  # the engine's own: a newer client wants a buildx beside it
    try:
        for _ in range(300):
            if process.poll() is not None:
                raise KitError(f"dockerd did not start; see {cache() / 'dockerd.log'}")
            if subprocess.run([*client, "version"], capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        yield client
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        unmount_below(run, root)
        for hierarchy in Path("/sys/fs/cgroup").glob("*"):
            for path in sorted((hierarchy / "docker").rglob("*"), reverse=True):
                _remove_empty(path)
            _remove_empty(hierarchy / "docker")
        shutil.rmtree(run, ignore_errors=True)
        if not was_there:
            for folder in (*sorted(optional.rglob("*"), reverse=True), optional):
                _remove_empty(folder)


def _remove_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        pass


def unmount_below(*folders: Path) -> None:
    """Take away every mount in these folders, the innermost first."""
    mounts = [
        line.split()[1].encode().decode("unicode_escape") for line in Path("/proc/mounts").read_text().splitlines()
    ]
    for mount in reversed(mounts):
        if any(mount == str(folder) or mount.startswith(f"{folder}/") for folder in folders):
            subprocess.run(["umount", "--lazy", mount], capture_output=True)


def _run(command: list[str], *, quiet: bool = True, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=REPOSITORY, env=os.environ | (env or {}), capture_output=quiet, text=True)
    if done.returncode:
        raise KitError(f"{' '.join(command[:6])} … failed:\n{(done.stderr or '')[-3000:]}")


def _timed(text: str, do: Callable[[], None]) -> None:
    started = time.monotonic()
    do()
    say(f"  {text:<32}{time.monotonic() - started:6.0f} s")


def pinned() -> str:
    """The base image that the Dockerfile names, with its digest."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", (REPOSITORY / "Dockerfile").read_text(), re.M)
    if not found:
        raise KitError("the Dockerfile names no BASE_IMAGE")
    return found[1]


def base(client: list[str]) -> str:
    """Give the engine the base image and return its name: the pinned one, or in our own engine one of Debian's packages."""
    name = BASE if "-H" in client else pinned()
    if subprocess.run([*client, "image", "inspect", name], capture_output=True).returncode == 0:
        return name
    if name != BASE:
        _timed("pulled the base image", lambda: _run([*client, "pull", name]))
        return name
    if not shutil.which("debootstrap"):
        install("debootstrap")

    def bootstrap() -> None:
        with tempfile.TemporaryDirectory(prefix="base-", dir=cache()) as folder:
            _run(["debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", "bookworm", folder])
            for part in (
                "var/cache/apt/archives",
                "var/lib/apt/lists",
                "usr/share/doc",
                "usr/share/man",
                "usr/share/locale",
            ):
                shutil.rmtree(Path(folder, part), ignore_errors=True)
            tar = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
            subprocess.run([*client, "import", "-", BASE], stdin=tar.stdout, check=True, capture_output=True)
            if tar.wait():
                raise KitError("packing the base image failed")

    _timed(f"base {BASE}", bootstrap)
    return BASE


def build(client: list[str], tag: str, context: Path = REPOSITORY) -> None:
    """All five images; what they share is built once."""
    base_image = base(client)
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True)
    revision = asked.stdout.strip()
    for service in SERVICES:
        command = [*client, "build", "--network", "host", "--tag", f"{REGISTRY}/{service}:{tag}"]
        for name, value in {"BASE_IMAGE": base_image, "SERVICE": service, "VERSION": tag, "REVISION": revision}.items():
            command += ["--build-arg", f"{name}={value}"]
        if _CA_BUNDLE.exists():
            command += ["--secret", f"id=ca-bundle,src={_CA_BUNDLE}"]
        command.append(str(context))
        _timed(f"image {service}", lambda command=command: _run(command, env={"DOCKER_BUILDKIT": "1"}))


def build_postgres(client: list[str]) -> None:
    """A stand-in for the public Postgres image: Debian's server under the same name."""
    command = [*client, "build", "--network", "host", "--tag", POSTGRES, "--build-arg", f"BASE_IMAGE={base(client)}"]
    command.append(str(Path(__file__).parent / "postgres"))
    _timed(f"image {POSTGRES}", lambda: _run(command, env={"DOCKER_BUILDKIT": "1"}))


def sources() -> str:
    """A hash of everything that goes into the five images and Postgres."""
    digest = hashlib.sha256(app_version().encode())
    paths = [
        REPOSITORY / name for name in ("Dockerfile", ".dockerignore", "requirements.lock", "requirements-runtime.lock")
    ]
    for pattern in ("libs/*/src", "services/*/src", "proto/*/src", "tests/cluster/kit/postgres"):
        for folder in sorted(REPOSITORY.glob(pattern)):
            paths += sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    for path in paths:
        digest.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def archive() -> Path:
    """One archive with all images of the tests, made anew only when something in it changed."""
    path = cache() / "images" / f"{sources()}.tar"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with engine() as client:
        build(client, app_version())
        build_postgres(client)
        part = path.with_suffix(".part")
        _timed("archive", lambda: _run([*client, "save", "-o", str(part), *names(), POSTGRES]))
    for old in path.parent.glob("*.*"):
        if old != part:
            old.unlink()
    part.rename(path)
    return path


def changed_archive(tag: str, change: Callable[[Path], None]) -> Path:
    """The five images under another tag, of sources that `change` has changed: the next release, or the one before."""
    path = cache() / "images" / f"{tag}.tar"
    with tempfile.TemporaryDirectory(prefix="sources-", dir=cache()) as folder, engine() as client:
        context = Path(folder)
        for name in ("Dockerfile", ".dockerignore", "requirements.lock", "requirements-runtime.lock"):
            shutil.copy(REPOSITORY / name, context / name)
        ignored = shutil.ignore_patterns("__pycache__", "tests", "bench")
        for name in ("libs", "services", "proto"):
            shutil.copytree(REPOSITORY / name, context / name, ignore=ignored)
        change(context)
        build(client, tag, context)
        _timed(f"archive {tag}", lambda: _run([*client, "save", "-o", str(path), *names(tag)]))
    return path


def program_image(name: str, program: Path, entrypoint: list[str], files: dict[str, bytes] | None = None) -> bytes:
    """An image that consists of one static program (and a few files), as an archive containerd reads."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for path, data, mode in [
            (program.name, program.read_bytes(), 0o755),
            *((path, data, 0o644) for path, data in (files or {}).items()),
        ]:
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    body = layer.getvalue()
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "config": {"Entrypoint": entrypoint, "Env": ["PATH=/"], "User": "65534:65534"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(body).hexdigest()}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in ((config_name, config), ("layer.tar", body), ("manifest.json", manifest)):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def cluster_images() -> list[bytes]:
    """What the cluster itself runs: the sandbox, DNS and metrics."""
    programs = binaries(["pause", "coredns", "metrics-server"])
    roots = {"etc/ssl/certs/ca-certificates.crt": _CA_BUNDLE.read_bytes()} if _CA_BUNDLE.exists() else {}
    return [
        program_image("postrider.test/pause:1", programs["pause"], ["/pause"]),
        program_image("postrider.test/coredns:1", programs["coredns"], ["/coredns"], roots),
        program_image("postrider.test/metrics-server:1", programs["metrics-server"], ["/metrics-server"], roots),
    ]


def main() -> None:
    """`make images`: build all five and say how large they are."""
    tag = os.environ.get("POSTRIDER_IMAGE_TAG") or app_version()
    with ExitStack() as stack:
        client = stack.enter_context(engine())
        build(client, tag)
        listed = subprocess.run(
            [*client, "image", "inspect", "--format", "{{.Size}} {{len .RootFS.Layers}}", *names(tag)],
            capture_output=True,
            text=True,
            check=True,
        )
        for name, line in zip(names(tag), listed.stdout.splitlines(), strict=True):
            size, layers = line.split()
            print(f"{name:<40}{int(size) / 1e6:8.1f} MB in {layers} layers")


if __name__ == "__main__":
    try:
        main()
    except KitError as error:
        sys.exit(f"images: {error}")
