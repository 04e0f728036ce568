"""docs/operate names values that exist, pages that exist, and the install's values file is taken."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailkit.process.config import KNOWN_NAMES
from tests.chart.chart import CHART, ROOT, run

PAGES = sorted((ROOT / "docs" / "operate").glob("*.md"))
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())


def named(text: str) -> set[str]:
    """Dotted names in backticks that begin with one of the chart's own top-level values."""
    words = re.findall(r"`([A-Za-z]\w*(?:\.\w+)+)(?:: [^`]*)?`", text)
    return {word for word in words if word.split(".")[0] in VALUES}


def exists(name: str) -> bool:
    here: Any = VALUES
    parts = name.split(".")
    if parts[0] == "settings":
        return parts[1] in KNOWN_NAMES
    if parts[0] == "autoscaling":
        here = VALUES["auth"]  # of each service
    for part in parts:
        if not isinstance(here, dict) or part not in here:
            return False
        here = here[part]
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_values_named_in_the_pages_exist(page: Path) -> None:
    text = page.read_text()
    assert [name for name in sorted(named(text)) if not exists(name)] == []
    links = re.findall(r"\]\(([\w./-]+\.md)[^)]*\)", text)
    assert [link for link in links if not (page.parent / link).resolve().exists()] == []


def test_something_is_named() -> None:
    assert sum(len(named(page.read_text())) for page in PAGES) > 25


def test_the_values_of_the_ten_lines_are_taken(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "operate" / "install.md").read_text()
    block = re.search(r"<<'VALUES'\n(.*?)VALUES\n", text, re.S)
    assert block is not None
    file = tmp_path / "my-values.yaml"
    file.write_text(block[1])
    done = run("template", "postrider", ".", "--values", str(file))
    assert done.returncode == 0, done.stderr


def test_shell_blocks_are_shell() -> None:
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.S):
            done = subprocess.run(["sh", "-n"], input=block, text=True, capture_output=True)
            assert done.returncode == 0, (page.name, done.stderr)
