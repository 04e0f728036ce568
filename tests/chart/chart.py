"""The chart as Helm renders it, as Python objects. Nothing here needs a cluster."""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from mailkit.testing.speed import patient
from tests.cluster.kit.build import binaries

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "postrider"
CI = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
SERVICES = ("auth", "mailstore", "queue-worker", "smtp-gateway", "pop-imap-frontend")
Object = dict[str, Any]


@functools.cache
def helm() -> str:
    """POSTRIDER_HELM, the one on PATH, or the pinned one of the project's own cluster, built where it is missing."""
    return os.environ.get("POSTRIDER_HELM") or shutil.which("helm") or str(binaries(["helm"])["helm"])


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(), *arguments], cwd=CHART, capture_output=True, text=True, timeout=patient(120))


@functools.cache
def _template(arguments: tuple[str, ...]) -> tuple[int, str, str]:
    done = run("template", "postrider", ".", "--namespace", "mail", *arguments)
    return done.returncode, done.stdout, done.stderr


def _arguments(ci: str, sets: dict[str, Any], upgrade: bool) -> tuple[str, ...]:
    given = [part for name, value in sets.items() for part in ("--set-json", f"{name}={json.dumps(value)}")]
    return ("--values", f"ci/{ci}", *given, *(["--is-upgrade"] if upgrade else []))


def render(ci: str = "two-core-values.yaml", *, upgrade: bool = False, **sets: Any) -> list[Object]:
    """Every object of the release, with `sets` (dots as __) on top of a values file."""
    named = {name.replace("__", "."): value for name, value in sets.items()}
    code, out, error = _template(_arguments(ci, named, upgrade))
    assert code == 0, error
    return [found for found in yaml.safe_load_all(out) if found]


def refusal(ci: str = "two-core-values.yaml", **sets: Any) -> str:
    """What Helm says when it refuses the values."""
    named = {name.replace("__", "."): value for name, value in sets.items()}
    code, _, error = _template(_arguments(ci, named, False))
    assert code != 0, "these values were taken"
    return error


def kind(objects: list[Object], *kinds: str) -> dict[str, Object]:
    """The objects of some kinds by name."""
    return {found["metadata"]["name"]: found for found in objects if found["kind"] in kinds}


def workloads(objects: list[Object]) -> dict[str, Object]:
    """The five services' workloads by service."""
    found = kind(objects, "Deployment", "DaemonSet").values()
    return {each["metadata"]["labels"]["app.kubernetes.io/component"]: each for each in found}


def pods(objects: list[Object]) -> dict[str, Object]:
    """Every pod's spec by kind and name: workloads, the database, jobs and the test."""
    templated = kind(objects, "Deployment", "DaemonSet", "StatefulSet", "Job")
    found = {f"{each['kind']}/{name}": each["spec"]["template"]["spec"] for name, each in templated.items()}
    return found | {f"Pod/{name}": each["spec"] for name, each in kind(objects, "Pod").items()}


def containers(spec: Object) -> list[Object]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def environment(workload: Object) -> dict[str, str]:
    """The variables that the service's own container gets; "secret:key" for those from a secret."""
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    found = {}
    for each in container["env"]:
        assert each["name"] not in found, f"{each['name']} twice: the second would win"
        source = each.get("valueFrom", {}).get("secretKeyRef")
        found[each["name"]] = f"{source['name']}:{source['key']}" if source else each["value"]
    return found
