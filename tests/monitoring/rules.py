"""The alerts as a release has them: the chart's own rendering, and the same without a namespace."""

import functools
from pathlib import Path
from typing import Any

import yaml

from tests.chart.chart import CHART, render

SOURCE = CHART / "files/alerts/postrider.yaml"
PAGES = CHART.parents[1] / "docs/operate/alerts"


@functools.cache
def rendered(this_namespace: bool = True) -> dict[str, Any]:
    """The PrometheusRule's spec: what a rules file holds."""
    objects = render(monitoring__enabled=True, monitoring__rules__thisNamespaceOnly=this_namespace)
    (rule,) = (each for each in objects if each["kind"] == "PrometheusRule")
    spec: dict[str, Any] = rule["spec"]
    return spec


def alerts() -> dict[str, dict[str, Any]]:
    """Name -> rule."""
    return {rule["alert"]: rule for group in rendered()["groups"] for rule in group["rules"]}


def write(folder: Path) -> Path:
    """The rules as a file that promtool and Prometheus read."""
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump(rendered(), sort_keys=False))
    return file
