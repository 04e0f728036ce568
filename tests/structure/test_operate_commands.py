"""Commands printed on lines of their own in docs/operate: each command and each option exists."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from postrider.cli import app

PAGES = Path(__file__).resolve().parents[2] / "docs/operate"
_LINE = re.compile(r"^ *(?:[A-Z_]+=\S+ )*(?:\S*/)?postrider ((?:[a-z]|--)[^\n#|;&]*)", re.M)
LINES = [
    (page.name, line.strip())
    for page in sorted(PAGES.glob("*.md"))
    for line in _LINE.findall(page.read_text().replace("\\\n", " "))
]


def test_there_are_some() -> None:
    assert {"queue.md", "deliverability.md"} <= {page for page, _ in LINES}


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_printed_command_exists_with_its_options(page: str, line: str) -> None:
    command: Any = get_command(app)
    for word in shlex.split(line):
        if word.startswith("--"):
            assert word.partition("=")[0] in {option for each in command.params for option in each.opts}, word
        elif hasattr(command, "commands"):
            assert word in command.commands, word
            command = command.commands[word]
    assert not hasattr(command, "commands"), "not a whole command"
