"""Dashboards: each panel tells its reader what is normal, and what it asks for exists and is complete."""

import re
from typing import Any

import pytest

from postrider.launcher.plan import SERVICES
from tests.monitoring.dashboards import DASHBOARDS, METRIC, ROOT, panels

ALL = pytest.mark.parametrize("name", DASHBOARDS)
#: What Prometheus and the pods' monitor add to a series.
OUTER = {"namespace", "pod", "instance", "le"}
#: Words that a label must not be called: its values would be people's or without number (issue: privacy, and series).
PERSONAL = re.compile(r"address|domain|mailbox|user|login|sender|recipient|host|client|ip$")


def documented() -> dict[str, set[str]]:
    """Name -> labels, of docs/metrics.md, which is made from the code."""
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*) \|", (ROOT / "docs/metrics.md").read_text(), re.M)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def asked(name: str) -> list[str]:
    return [target["expr"] for panel in panels(DASHBOARDS[name]) for target in panel["targets"]]


def base(metric: str) -> str:
    return metric if metric in documented() else re.sub(r"_(bucket|sum|count)$", "", metric)


def test_there_is_one_for_each_service_one_for_the_flow_one_for_postgres() -> None:
    assert set(DASHBOARDS) == {*SERVICES, "mail-flow", "postgres"}


@ALL
def test_grafana_finds_it_and_its_links(name: str) -> None:
    board = DASHBOARDS[name]
    assert (board["uid"], board["refresh"], board["time"]["from"]) == (f"postrider-{name}", "30s", "now-6h")
    assert board["schemaVersion"] >= 39
    variables = [each["name"] for each in board["templating"]["list"]]
    assert variables == ["datasource", "namespace", *(["pod"] if name in SERVICES else [])]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels(board):
        for link in panel["links"]:
            assert re.match(r"/d/postrider-([a-z-]+)\?", link["url"])[1] in DASHBOARDS  # type: ignore[index]


@ALL
def test_panels_stand_beside_and_not_on_each_other(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


@ALL
def test_a_panel_says_what_is_normal_and_what_to_do(name: str) -> None:
    titles = [panel["title"] for panel in panels(DASHBOARDS[name])]
    assert len(titles) >= 9 and len(set(titles)) == len(titles)
    everywhere = {panel["title"] for board in DASHBOARDS.values() for panel in panels(board)}
    for panel in panels(DASHBOARDS[name]):
        text = panel["description"]
        assert len(re.findall(r"[.:;]", text)) >= 2 and len(text) > 60, f"{panel['title']}: {text}"
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
        for page in re.findall(r"docs/[\w/-]+\.md", text):
            assert (ROOT / page).exists(), page
        for title in re.findall(r"«([^»]+)»", text):
            assert title in everywhere, f"{panel['title']} sends to {title}"


@ALL
def test_what_is_asked_for_exists_within_the_chosen_installation(name: str) -> None:
    for expression in asked(name):
        for metric, matchers in re.findall(r"\b((?:postrider|process)_[a-z0-9_]+)(?:\{([^}]*)\})?", expression):
            assert 'namespace=~"$namespace"' in matchers, expression
            if metric.startswith("postrider_"):
                labels = documented()[base(metric)]
                assert set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', matchers)) <= labels | OUTER, expression


@ALL
def test_what_every_replica_says_of_the_whole_is_not_added_up(name: str) -> None:
    text = (ROOT / "docs/metrics.md").read_text()
    whole = set(re.findall(r"^\| `(\w+)` .*[Ee]ach replica", text, re.M))
    whole |= {metric for metric in documented() if metric.startswith("postrider_postgres_")}
    assert "postrider_queue_recipients" in whole
    for expression in asked(name):
        if whole & set(METRIC.findall(expression)):
            assert not re.search(r"\bsum\b", expression), expression


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {base(metric) for name in DASHBOARDS for expression in asked(name) for metric in METRIC.findall(expression)}
    assert documented().keys() - shown == set()


def test_no_label_is_made_for_an_address_or_a_domain() -> None:
    labels: dict[str, Any] = {metric: names for metric, names in documented().items() if names}
    assert len(labels) > 20
    assert {metric for metric, names in labels.items() if any(PERSONAL.search(name) for name in names)} == set()
