"""The rows of the result and how they are printed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Value:
    """One measurement; `better`: "more" for rates, "less" for times."""

    what: str
    number: float
    unit: str
    better: str = "less"


@dataclass
class Row:
    """One measurement; `better` says which way is good: "more" for rates, "less" for times and memory."""

    what: str
    unit: str
    better: str
    values: dict[str, Sequence[float]] = field(default_factory=dict)
    """By side, one a round."""

    def median(self, side: str) -> float | None:
        """None when the side was not measured."""
        return median(self.values[side]) if side in self.values else None

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios, Postrider over the other one; None unless both were measured."""
        pairs = list(zip(self.values.get("postrider", ()), self.values.get("other", ()), strict=False))
        return median(ours / other for ours, other in pairs) if pairs and all(other for _, other in pairs) else None


class Table:
    """Rows in the order in which they were first seen, one column for each side."""

    def __init__(self, other: str = "Postfix/Dovecot") -> None:
        self.rows: dict[str, Row] = {}
        self.other = other

    def put(self, side: str, what: str, values: Sequence[float], unit: str, better: str = "more") -> None:
        """`side`: postrider or other; `values`: one a round."""
        row = self.rows.setdefault(what, Row(what, unit, better))
        row.values[side] = values
        print(f"  {side:<9} {what}: {shown(row.median(side))} {unit}", flush=True)

    def json(self) -> str:
        return json.dumps(
            [
                {"what": row.what, "unit": row.unit, "better": row.better, "ratio": row.ratio}
                | {side: row.median(side) for side in ("postrider", "other")}
                for row in self.rows.values()
            ],
            indent=1,
        )

    def text(self) -> str:
        """A plain table."""
        lines = [("what", "Postrider", self.other, "ratio", "better is")]
        for row in self.rows.values():
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
            better = row.better if row.ratio is not None else ""
            mine, other = shown(row.median("postrider")), shown(row.median("other"))
            lines.append((f"{row.what} [{row.unit}]", mine, other, ratio, better))
        widths = [max(len(line[column]) for line in lines) for column in range(5)]
        rule = "-+-".join("-" * width for width in widths)
        out = [
            " | ".join(
                cell.ljust(width) if not place or place == 4 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        return "\n".join([out[0], rule, *out[1:]])


def shown(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 1 else f"{value:.1f}"
