"""A dashboard's panels drawn from Prometheus's data, as SVG: what docs/dashboards.md shows. Small on purpose; Grafana
draws better, and this needs no browser."""

import math
from html import escape
from typing import Any

WIDTH, HEIGHT, GAP, HEAD = 380, 200, 14, 26
COLOURS = ("#3b7dd8", "#e0863c", "#4a9b5c", "#b5549c", "#8a6d3b", "#4fb0ae", "#c94f4f", "#7a7a7a", "#6a5acd", "#9aa83a")
MOST_LINES = 8
Line = tuple[str, list[tuple[float, float]]]


def dashboard(title: str, rows: list[tuple[str, list[tuple[dict[str, Any], list[Line]]]]], seconds: float) -> str:
    """`rows`: title and panels with their lines; x goes from 0 to `seconds`."""
    parts: list[str] = []
    top = 44
    for name, panels in rows:
        parts.append(f'<text x="{GAP}" y="{top + 16}" font-weight="600" fill="#555">{escape(name)}</text>')
        top += HEAD
        for place, (panel, lines) in enumerate(panels):
            left = GAP + place % 3 * (WIDTH + GAP)
            parts.append(
                f'<g transform="translate({left},{top + place // 3 * (HEIGHT + GAP)})">{_panel(panel, lines, seconds)}</g>'
            )
        top += ((len(panels) + 2) // 3) * (HEIGHT + GAP)
    width = 3 * WIDTH + 4 * GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top + GAP}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#f4f5f7"/>'
        f'<text x="{GAP}" y="28" font-size="18" fill="#222">{escape(title)}</text>{"".join(parts)}</svg>\n'
    )


def _panel(panel: dict[str, Any], lines: list[Line], seconds: float) -> str:
    """One panel: title, two axes' ends, lines, legend."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    lines = sorted(lines, key=lambda line: -max((y for _, y in line[1]), default=0))
    shown = lines[:MOST_LINES]
    highest = max((y for _, points in shown for _, y in points), default=0) or 1
    box_left, box_top, box_width, box_height = 62, 34, WIDTH - 76, 98
    out = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="4" fill="#fff" stroke="#d8dbe0"/>',
        f'<text x="10" y="20" font-weight="600" fill="#222">{escape(panel["title"])}'
        f'<tspan dx="6" font-weight="400" font-size="10" fill="#888">{escape(unit.removeprefix("suffix: ")) if unit.startswith("suffix") else ""}</tspan></text>',
    ]
    for share in (0, 0.5, 1):
        y = box_top + box_height * (1 - share)
        out.append(f'<path d="M{box_left} {y:.0f}h{box_width}" stroke="#e6e8eb"/>')
        out.append(
            f'<text x="{box_left - 6}" y="{y + 4:.0f}" text-anchor="end" font-size="10" fill="#666">{written(highest * share, unit)}</text>'
        )
    for at, x in (("0", box_left), (f"{seconds:.0f} s", box_left + box_width)):
        anchor = "start" if at == "0" else "end"
        out.append(
            f'<text x="{x}" y="{box_top + box_height + 12}" text-anchor="{anchor}" font-size="9" fill="#999">{at}</text>'
        )
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] and step["value"] <= highest:  # one that is far above would flatten the lines
            y = box_top + box_height * (1 - step["value"] / highest)
            out.append(f'<path d="M{box_left} {y:.1f}h{box_width}" stroke="#d33" stroke-dasharray="4 3"/>')
    for number, (_, points) in enumerate(shown):
        path = " ".join(
            f"{'M' if n == 0 else 'L'}{box_left + box_width * x / seconds:.1f} {box_top + box_height * (1 - y / highest):.1f}"
            for n, (x, y) in enumerate(points)
        )
        out.append(f'<path d="{path}" fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="1.5"/>')
    columns = 2 if any(len(legend) > 18 for legend, _ in shown) and len(shown) <= 6 else 3
    most = 18 if columns == 3 else 30
    for number, (legend, _) in enumerate(shown):
        x, y = 12 + number % columns * (366 // columns), box_top + box_height + 28 + number // columns * 15
        text = legend if len(legend) <= most else legend[: most // 2] + "…" + legend[-(most // 2) + 1 :]
        out.append(f'<rect x="{x}" y="{y - 8}" width="8" height="8" fill="{COLOURS[number % len(COLOURS)]}"/>')
        out.append(f'<text x="{x + 12}" y="{y}" font-size="10" fill="#444">{escape(text)}</text>')
    if len(lines) > len(shown):
        out.append(
            f'<text x="{WIDTH - 10}" y="20" text-anchor="end" font-size="10" fill="#888">{len(lines) - len(shown)} more</text>'
        )
    return "".join(out)


def written(value: float, unit: str) -> str:
    """A number on an axis, with its unit."""
    if unit == "s":
        return _scaled(
            value, ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"))
        )
    if unit in ("bytes", "Bps"):
        return _scaled(value, ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")))
    if unit == "percentunit":
        return f"{value:.0%}"
    return _scaled(value, ((1e6, "M"), (1e3, "k"), (1, ""))) if value >= 1 or not value else f"{value:.2g}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    if not value or not math.isfinite(value):
        return "0"
    size, name = next((step for step in steps if value >= step[0]), steps[-1])
    return f"{value / size:.3g} {name}".strip()
