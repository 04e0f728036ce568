"""The rows of the result and how they are printed."""

import json
from dataclasses import asdict, dataclass


@dataclass
class Row:
    """One measurement; `better` says which way is good: "more" for rates, "less" for times and memory."""

    what: str
    unit: str
    better: str
    postrider: float | None = None
    other: float | None = None

    @property
    def ratio(self) -> float | None:
        """Postrider over the other one."""
        if self.postrider is None or not self.other:
            return None
        return self.postrider / self.other


class Table:
    """Rows in the order in which they were first seen, one column for each side."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def put(self, side: str, what: str, value: float, unit: str, better: str = "more") -> None:
        """`side`: postrider or other."""
        row = self.rows.setdefault(what, Row(what, unit, better))
        setattr(row, side, value)
        print(f"  {side:<9} {what}: {shown(value)} {unit}", flush=True)

    def json(self) -> str:
        return json.dumps([asdict(row) | {"ratio": row.ratio} for row in self.rows.values()], indent=1)

    def text(self) -> str:
        """A plain table."""
        lines = [("what", "Postrider", "Postfix/Dovecot", "ratio", "better is")]
        for row in self.rows.values():
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
            better = row.better if row.ratio is not None else ""
            lines.append((f"{row.what} [{row.unit}]", shown(row.postrider), shown(row.other), ratio, better))
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
