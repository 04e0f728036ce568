"""The alerts: promtool takes them, each fires for its symptom and not without it, each has its page."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from postrider.cli import app
from tests.monitoring.cases import CASES
from tests.monitoring.rules import PAGES, alerts, write

HEADINGS = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]


def promtool(*words: str, folder: Path) -> str:
    done = subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    write(tmp_path)
    assert f"{len(alerts())} rules found" in promtool("check", "rules", "rules.yaml", folder=tmp_path)


def test_every_alert_has_a_case() -> None:
    assert set(CASES) == set(alerts())


@pytest.mark.parametrize("name", sorted(CASES))
def test_it_fires_for_its_symptom_and_not_without(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    rule = alerts()[name]
    tests = []
    for fires, case in ((True, CASES[name].bad), (False, CASES[name].good)):
        expected = [{"exp_labels": rule["labels"] | labels} for labels in CASES[name].labels] if fires else []
        tests.append(
            {
                "interval": "1m",
                "input_series": [
                    {"series": _in_namespace(series), "values": values} for series, values in case.items()
                ],
                "promql_expr_test": [],
                "alert_rule_test": [{"eval_time": CASES[name].after, "alertname": name, "exp_alerts": expected}],
            }
        )
    # promtool compares annotations too, and what it found is the easier to read when it does not match
    for one in tests:
        for alert in one["alert_rule_test"]:
            for each in alert["exp_alerts"]:
                each["exp_annotations"] = CASES[name].annotations(rule, each["exp_labels"])
    (tmp_path / "case.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}, sort_keys=False)
    )
    promtool("test", "rules", "case.yaml", folder=tmp_path)


def _in_namespace(series: str) -> str:
    if "{" not in series:
        return f'{series}{{namespace="mail"}}'
    return series.replace("{", '{namespace="mail",', 1)


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(alerts())
    for name, rule in alerts().items():
        text = (PAGES / f"{name}.md").read_text()
        assert [line for line in text.splitlines() if line.startswith("#")] == [f"# {name}", *HEADINGS]
        assert rule["annotations"]["runbook_url"] == f"docs/operate/alerts/{name}.md"
        assert rule["labels"]["severity"] in ("critical", "warning")
        for link in re.findall(r"\]\((\w+\.md)\)", text):
            assert (PAGES / link).exists(), link
        for link in re.findall(r"docs/[\w/-]+\.md", text):
            assert (PAGES.parents[2] / link).exists(), link


def test_every_command_of_a_page_exists() -> None:
    root = get_command(app)
    for path in PAGES.glob("*.md"):
        for words in re.findall(r"`postrider ([a-z]+)(?: ([a-z]+))?", path.read_text()):
            command = root.commands[words[0]]  # type: ignore[attr-defined]
            if words[1]:
                assert words[1] in command.commands, f"{path.name}: postrider {' '.join(words)}"
