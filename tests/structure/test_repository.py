"""What documents say of files, settings and RFCs is so; what must not be in the repository is not."""

import ast
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import get_args

import pytest
import yaml

import mailkit
from mailkit.process.config import KNOWN_NAMES, ServiceSettings
from mailkit.process.logs import EVENTS
from mailkit.process.report import Kind
from queue_worker.models import RECORDED

ROOT = Path(__file__).parents[2]


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).exists()]


def test_files_named_in_the_flow_exist() -> None:
    named = re.findall(r"`([\w./-]+\.\w+)`", (ROOT / "docs" / "flow.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_rfc_cited_is_in_the_index() -> None:
    index = set(re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "rfcs.md").read_text(), re.M))
    cited = {
        number
        for file in tracked("libs/*/src/*.py", "services/*/src/*.py", "proto/*.py")
        for number in re.findall(r"RFC ?(\d{3,5})", file.read_text())
    }
    cited -= {"822", "1918"}  # header form's old name in MIME types; private networks
    assert cited - index == set()


@pytest.mark.parametrize("package", ["auth", "queue_worker", "mailstore", "smtp_gateway", "pop_imap_frontend"])
def test_every_setting_is_a_known_name(package: str) -> None:
    module = importlib.import_module(f"{package}.config")
    classes = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, ServiceSettings) and c.__module__ == module.__name__
    ]
    (settings,) = classes
    assert {name.upper() for name in settings.model_fields} - KNOWN_NAMES == set()


def test_the_lock_names_no_registry() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_no_file_names_a_registry_or_a_machine() -> None:
    """Hosts of package registries and paths of one person's machine, joined here so that this file does not hit."""
    hosts = ["pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "deb." + "debian.org"]
    paths = ["/" + "work/", "/" + "root/", "/" + "tmp/brief", ".py" + "env/"]
    found = []
    for file in tracked():
        if file.is_symlink() or not file.is_file():
            continue
        content = file.read_bytes()
        found += [f"{file.relative_to(ROOT)}: {word}" for word in hosts + paths if word.encode() in content]
    assert found == []


def test_internet_facing_services_know_no_database() -> None:
    for package in ("smtp_gateway", "pop_imap_frontend"):
        module = importlib.import_module(f"{package}.config")
        (settings,) = [
            c
            for c in vars(module).values()
            if isinstance(c, type) and issubclass(c, ServiceSettings) and c.__module__ == module.__name__
        ]
        assert [name for name in settings.model_fields if "database" in name] == []


LOGGED_BY_NAME = {
    "report.py": frozenset(get_args(Kind)),
    "news.py": frozenset(("deferred", "in_doubt", "failed", "expired")),
}
"""Events that a module logs by a variable."""


def events(tree: ast.AST, named: frozenset[str]) -> Iterator[str]:
    """The events that a module logs."""
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args):
            continue
        if call.func.attr in ("debug", "info", "warning", "error") and ast.unparse(call.func.value) in (
            "log",
            "get_logger()",
            "logs.get_logger()",
        ):
            found = {node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)} & EVENTS.keys()
            assert found or named, f"an event that is not in mailkit.process.logs.EVENTS: {ast.unparse(call.args[0])}"
            yield from found or named


def test_log_lines_use_the_vocabulary_and_all_of_it() -> None:
    """An event that is not in `mailkit.process.logs.EVENTS` is one that no operator knows to look for."""
    said = {
        event
        for file in tracked("libs/*/src/*.py", "services/*/src/*.py")
        for event in events(ast.parse(file.read_text()), LOGGED_BY_NAME.get(file.name, frozenset()))
    }
    assert said == EVENTS.keys()
    assert LOGGED_BY_NAME["news.py"] | {"delivered", "returned"} == {outcome.value for outcome in RECORDED}


def test_one_version_everywhere() -> None:
    """`mailkit.__version__` is what `postrider_build_info` says; the packages take theirs from it, the chart repeats it."""
    projects = [tomllib.loads(path.read_text()) for path in ROOT.glob("*/*/pyproject.toml")]
    assert len(projects) == 13
    assert all(each["project"]["dynamic"] == ["version"] and "version" not in each["project"] for each in projects)
    said = {each["project"]["name"]: metadata.version(each["project"]["name"]) for each in projects}
    said["chart"] = yaml.safe_load((ROOT / "charts/postrider/Chart.yaml").read_text())["appVersion"]
    assert set(said.values()) == {mailkit.__version__}, said
