"""Every panel of every dashboard returns data from a real Prometheus; every metric that is named exists."""

import math
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.chart.chart import CHART
from tests.monitoring import pictures
from tests.monitoring.conftest import NAMESPACE, Prometheus
from tests.monitoring.dashboards import DASHBOARDS, METRIC, filled, panels, queries
from tests.monitoring.pictures import Line
from tests.monitoring.rules import alerts
from tests.support.run import wait_for

PICTURES = os.environ.get("POSTRIDER_TEST_PICTURES")
PICTURE_SECONDS = 90.0


@pytest.mark.parametrize("choice", ["all", "one machine", "one pod"])
@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_returns_data(name: str, choice: str, prometheus: Prometheus) -> None:
    """With everything chosen, and with the one or the other of two ways in which the same services are scraped."""
    chosen = {
        "all": {},
        "one machine": {"namespace": "", "pod": ""},
        "one pod": {"namespace": NAMESPACE, "pod": f"{name}-0"},
    }
    empty = []
    asked = list(queries(name, **chosen[choice]))
    for title, query in asked:
        series = query.split(" or on () ")[0]  # after the load nothing has to be stood in for
        samples = [float(each["value"][1]) for each in prometheus.query(series)]
        if not any(math.isfinite(sample) for sample in samples):
            empty.append(f"{title}: {query} -> {samples}")
    assert not empty, "\n".join(empty)
    print(f"{name}, {choice}: {len(asked)} queries return data")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_new_installation_sees_zero_and_not_no_data(name: str, prometheus: Prometheus) -> None:
    """Before the first message. A quantile of nothing is NaN, which Grafana draws as a gap; an empty answer it calls
    "No data", and nobody knows whether that is good."""
    assert [one for one in queries(name) if one[1] in prometheus.empty_when_new] == []


if PICTURES:

    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_draw(name: str, prometheus: Prometheus) -> None:
        """Not a test but `make pictures`: docs/pictures, from a minute and a half of the load."""
        end = wait_for(lambda: (now := time.time()) > prometheus.loaded + PICTURE_SECONDS and now, PICTURE_SECONDS + 10)
        start = end - PICTURE_SECONDS
        rows: list[tuple[str, list[tuple[dict[str, Any], list[Line]]]]] = []
        for panel in DASHBOARDS[name]["panels"]:
            if panel["type"] == "row":
                rows.append((panel["title"], []))
                continue
            lines = [line for target in panel["targets"] for line in drawn(prometheus, target, start, end)]
            rows[-1][1].append((panel, lines))
        picture = pictures.dashboard(DASHBOARDS[name]["title"], rows, PICTURE_SECONDS)
        (Path(str(PICTURES)) / f"{name}.svg").write_text(picture)


def drawn(prometheus: Prometheus, target: dict[str, Any], start: float, end: float) -> list[Line]:
    """The lines of one query, with their legends filled in."""
    expression = filled(target["expr"], "15s", namespace="")
    found = prometheus.ask("query_range", query=expression, start=str(start), end=str(end), step="2")["result"]
    lines = []
    for each in found:
        legend = re.sub(r"\{\{(\w+)\}\}", lambda match, of=each["metric"]: of.get(match[1], ""), target["legendFormat"])
        points = [(float(x) - start, float(y)) for x, y in each["values"] if math.isfinite(float(y))]
        if points and "none yet" not in legend:  # shown where something has not happened, and here all has
            lines.append((legend, points))
    return lines


def test_every_alert_can_be_evaluated(prometheus: Prometheus) -> None:
    """On a run that is well no alert's expression holds, but for the guessing of passwords that the load itself does."""
    firing = {}
    for name, rule in alerts().items():
        found = prometheus.query(rule["expr"].replace('namespace="mail"', 'namespace=""'))
        if found and name != "PostriderPasswordGuessing":
            firing[name] = found
    assert not firing


def test_every_metric_that_is_named_exists(prometheus: Prometheus) -> None:
    known = set(prometheus.ask("label/__name__/values"))
    documented = set(re.findall(r"^\| `(postrider_\w+)`", (CHART.parents[1] / "docs/metrics.md").read_text(), re.M))
    asked = [target["expr"] for each in DASHBOARDS.values() for panel in panels(each) for target in panel["targets"]]
    asked += [rule["expr"] for rule in alerts().values()]
    for metric in {metric for expression in asked for metric in METRIC.findall(expression)}:
        assert metric in known, metric
        base = re.sub(r"_(bucket|sum|count)$", "", metric)
        assert metric.startswith("process_") or {metric, base} & documented, metric


def test_what_is_documented_is_exposed(prometheus: Prometheus) -> None:
    """Each series of docs/metrics.md is there after the load, and nothing of ours that is not in it."""
    documented = dict(
        re.findall(r"^\| `(postrider_\w+)` \| (\w+) ", (CHART.parents[1] / "docs/metrics.md").read_text(), re.M)
    )
    known = {name for name in prometheus.ask("label/__name__/values") if name.startswith("postrider_")}
    wanted = {name + "_count" if kind == "histogram" else name for name, kind in documented.items()}
    assert wanted <= known
    of_kinds = {name: name for name in documented} | {
        name + part: name
        for name, kind in documented.items()
        if kind == "histogram"
        for part in ("_bucket", "_sum", "_count")
    }
    extra = {
        name for name in known if name not in of_kinds and name.removesuffix("_created") + "_total" not in documented
    }
    assert {name for name in extra if not name.endswith("_created")} == set()


def test_no_label_could_hold_an_address(prometheus: Prometheus) -> None:
    for label in prometheus.ask("labels"):
        for value in prometheus.ask(f"label/{label}/values"):
            assert "@" not in value, (label, value)
            assert label in ("instance", "job", "__name__") or (".example" not in value and ".test" not in value), (
                label,
                value,
            )
