"""The dashboards as the chart carries them, and their queries as Grafana asks them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text())
    for path in sorted((ROOT / "charts/postrider/files/dashboards").glob("*.json"))
}
METRIC = re.compile(r"\b((?:postrider|process)_[a-z0-9_]+)")


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(name: str, namespace: str = ".*", pod: str = ".*") -> Iterator[tuple[str, str]]:
    """(panel's title, expression) of everything that a dashboard asks."""
    for panel in panels(DASHBOARDS[name]):
        for target in panel["targets"]:
            yield panel["title"], filled(target["expr"], namespace=namespace, pod=pod)


def filled(expression: str, interval: str = "1m", namespace: str = ".*", pod: str = ".*") -> str:
    """With what is chosen above the panels; All, as it is at first, is also for a run that has no such label."""
    for name, value in (("$namespace", namespace), ("$pod", pod), ("$__rate_interval", interval)):
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression
