"""The alerts with Prometheus's own tool: it takes them, and each fires for its symptom and not on an ordinary day."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from mailkit.testing.speed import patient
from tests.monitoring.cases import CASES
from tests.monitoring.rules import PAGES, SOURCE, alerts, write


def promtool(*words: str, folder: Path) -> str:
    done = subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, timeout=patient(120))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    """As the chart makes them, and the file as it is."""
    write(tmp_path)
    assert f"{len(alerts())} rules found" in promtool("check", "rules", "rules.yaml", folder=tmp_path)
    assert f"{len(alerts())} rules found" in promtool("check", "rules", str(SOURCE), folder=tmp_path)


def test_promtool_takes_the_queries_of_the_pages(tmp_path: Path) -> None:
    asked = [
        query
        for page in sorted(PAGES.glob("*.md"))
        for query in re.findall(r"`([^`]*\b(?:postrider|process)_[a-z_]+(?:\{|\[|\)|$)[^`]*)`", page.read_text())
        if not query.startswith("kubectl")
    ]
    assert len(asked) > 8
    rules = [{"record": f"asked:{number}", "expr": query} for number, query in enumerate(asked)]
    (tmp_path / "asked.yaml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    promtool("check", "rules", "asked.yaml", folder=tmp_path)


def test_every_alert_has_a_case() -> None:
    assert set(CASES) == set(alerts())


@pytest.mark.parametrize("name", sorted(CASES))
def test_it_fires_for_its_symptom_and_not_without(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    rule, case = alerts()[name], CASES[name]
    tests = []
    for series in (case.bad, case.good, case.quiet, {}):
        # promtool compares annotations too, and what it found is the easier to read when it does not match
        labelled = [rule["labels"] | labels for labels in case.labels] if series is case.bad else []
        fired = [{"exp_labels": each, "exp_annotations": case.annotations(rule, each)} for each in labelled]
        if name == "PostriderServiceMissing" and not series:
            continue  # that nothing is there is its own case below
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": _in_namespace(each), "values": values} for each, values in series.items()],
                "alert_rule_test": [{"eval_time": case.after, "alertname": name, "exp_alerts": fired}],
            }
        )
    run_tests(tests, tmp_path)


def test_an_installation_of_which_nothing_is_seen_is_missing(tmp_path: Path) -> None:
    write(tmp_path)
    rule, case = alerts()["PostriderServiceMissing"], CASES["PostriderServiceMissing"]
    annotations = {
        name: text.replace("Only 4 of", "Only 0 of") for name, text in case.annotations(rule, rule["labels"]).items()
    }
    fired = [{"exp_labels": rule["labels"], "exp_annotations": annotations}]
    elsewhere = [
        {"series": series.replace("{", '{namespace="other",', 1), "values": values}
        for series, values in case.good.items()
    ]
    look = {"eval_time": "10m", "alertname": "PostriderServiceMissing", "exp_alerts": fired}
    run_tests([{"interval": "1m", "input_series": elsewhere, "alert_rule_test": [look]}], tmp_path)


def run_tests(tests: Sequence[Mapping[str, object]], folder: Path) -> None:
    text = yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}, sort_keys=False)
    (folder / "case.yaml").write_text(text)
    promtool("test", "rules", "case.yaml", folder=folder)


def _in_namespace(series: str) -> str:
    if "{" not in series:
        return f'{series}{{namespace="mail"}}'
    return series.replace("{", '{namespace="mail",', 1)
