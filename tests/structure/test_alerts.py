"""Alerts and their pages: one for the other, and what both name exists in code, chart and command line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from mailkit.process.config import KNOWN_NAMES
from mailkit.process.logs import EVENTS
from postrider.cli import app
from postrider.launcher.plan import SERVICES

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/postrider"
PAGES = ROOT / "docs/operate/alerts"
NAMES = sorted(path.stem for path in PAGES.glob("*.md"))
HEADINGS = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]
METRIC = re.compile(r"\b((?:postrider|process)_[a-z0-9_]+)(?:\{([^}]*)\})?")
PAGE = pytest.mark.parametrize("name", NAMES)
#: What Prometheus adds to a series by itself.
OUTER = {"job", "instance", "namespace", "le"}


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((CHART / "files/alerts/postrider.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    found = {rule["alert"]: rule for rule in rules}
    assert len(found) == len(rules), "an alert twice: the second page would be the first's"
    return found


def documented() -> dict[str, tuple[set[str], str]]:
    """Name -> labels and text, of docs/metrics.md, which is made from the code."""
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*) \| (.*) \|$", (ROOT / "docs/metrics.md").read_text(), re.M)
    assert len(rows) > 60
    return {name: (set(re.findall(r"`(\w+)`", labels)), text) for name, labels, text in rows}


def check_series(text: str, where: str) -> None:
    """Each metric exists, has the labels it is asked by, and knows the values that are asked for."""
    known = documented()
    about = {
        label: " ".join(text for labels, text in known.values() if label in labels)  # kinds and states are listed once
        for label in set().union(*(labels for labels, _ in known.values()))
    }
    for name, matchers in METRIC.findall(text):
        if name.startswith("process_"):
            continue  # prometheus_client's own
        base = name if name in known else re.sub(r"_(bucket|sum|count)$", "", name)
        assert base in known, f"{where}: {name}"
        labels, _ = known[base]
        for label, values in re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', matchers):
            assert label in labels | OUTER, f"{where}: {name} has no label {label}"
            for value in values.split("|"):
                # a task, an endpoint or another service is named by the code that has it
                if label not in OUTER | {"task", "endpoint", "upstream"} and value != "…":
                    assert re.search(rf"\b{value}\b", about[label]), f"{where}: {name} has no {label} {value}"


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    assert sorted(alerts()) == NAMES


@PAGE
def test_a_page_says_what_it_means_hurts_how_to_look_and_what_to_do(name: str) -> None:
    lines = (PAGES / f"{name}.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("#")] == [f"# {name}", *HEADINGS]
    for heading in HEADINGS:
        assert lines[lines.index(heading) + 2].strip(), f"nothing under {heading}"


@PAGE
def test_an_alert_tells_who_reads_it_what_it_is(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operate/alerts/{name}.md"
    assert len(rule["annotations"]["summary"]) < 70
    grouped = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", rule["expr"]) for label in labels.split(",")}
    for label in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
        assert label in grouped | OUTER, f"the expression keeps no label {label}"


@PAGE
def test_what_an_alert_asks_for_exists(name: str) -> None:
    expression = alerts()[name]["expr"]
    assert METRIC.search(expression) or expression.startswith("up{")
    check_series(expression, name)
    # the chart puts its namespace between these braces
    assert not re.findall(r"\b(?:postrider|process)_[a-z0-9_]+(?!\{)\b(?!\{)", expression)


@PAGE
def test_what_a_page_names_exists(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    check_series(text, name)
    for link in re.findall(r"\]\((\w+\.md)\)", text):
        assert (PAGES / link).exists(), link
    for link in re.findall(r"docs/[\w/-]+\.md", text):
        assert (ROOT / link).exists(), link
    for setting in re.findall(r"\bsettings\.(\w+)", text):
        assert setting in KNOWN_NAMES, setting
    for service in re.findall(r"RELEASE-([a-z-]+)", text):
        assert service.removesuffix("-") in {*SERVICES, "postgres", "probe"}, service
    for words in re.findall(r"app\.kubernetes\.io/component(?:=| in \()([a-z-]+(?:, [a-z-]+)*)", text):
        assert {word.strip() for word in words.split(",")} <= {*SERVICES, "postgres"}, words
    for words in re.findall(r"logs [^`]*\| grep (?:-E )?'?([a-z_|]+)", text):
        assert set(words.split("|")) <= EVENTS.keys(), words


@PAGE
def test_every_command_of_a_page_exists(name: str) -> None:
    for line in re.findall(r"`postrider ([^`]+)`", (PAGES / f"{name}.md").read_text()):
        command: Any = get_command(app)
        for word in line.split():
            if word.startswith("--"):
                assert word in {option for each in command.params for option in each.opts}, line
            elif hasattr(command, "commands"):
                assert word in command.commands, line
                command = command.commands[word]
        assert not hasattr(command, "commands"), f"{line}: not a whole command"


@PAGE
def test_what_a_page_shows_on_a_dashboard_is_there(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    boards = {path.stem: json.loads(path.read_text()) for path in (CHART / "files/dashboards").glob("*.json")}
    titles = {panel["title"] for board in boards.values() for panel in board["panels"]}
    for board in re.findall(r"\*([\w-]+)\*(?!\*)", text):
        assert board.lower() in boards, board
    for title in re.findall(r"«([^»]+)»", text):
        assert title in titles, title


def test_the_overview_lists_every_alert_with_its_severity() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(alerts/(\w+)\.md\) \| (\w+) \| (.*) \|$", _overview(), re.M)
    assert [(row[0], row[2]) for row in rows] == [(name, rule["labels"]["severity"]) for name, rule in alerts().items()]
    for name, link, _, seen in rows:
        summary = re.sub(r"\{\{[^}]*\}\}", "…", alerts()[name]["annotations"]["summary"])
        assert (link, seen) == (name, summary)


def _overview() -> str:
    return (ROOT / "docs/operate/monitoring.md").read_text()
