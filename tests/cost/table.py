"""The table of results, on the terminal and in docs/reliability.md."""

from collections.abc import Sequence
from pathlib import Path

from tests.cost.case import MB
from tests.cost.runner import Limits, Result

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- results: written by `make cost WRITE=1` -->", "<!-- end of results -->"
COLUMNS = ("input", "took, s", "work, ms", "wait, ms", "grew, MB", "kept, MB", "Postgres, s", "others, s")


def cells(result: Result) -> tuple[str, ...]:
    """One row. A stall is the lower bound of its histogram's bucket."""
    work, wait = (f"≥ {stall * 1000:.0f}" if stall else "–" for stall in (result.work, result.wait))
    return (
        result.case.name,
        f"{result.seconds:.2f}",
        work,
        wait,
        f"{result.grown / MB:.0f}",
        f"{max(0, result.kept) / MB:.1f}",
        f"{result.postgres:.2f}",
        f"{result.others:.2f}",
    )


def line(number: int, of: int, result: Result) -> str:
    """What is printed as soon as a case is done."""
    _, *figures = cells(result)
    verdict = "; ".join(result.faults) if result.faults else "ok"
    return f"{number:3}/{of} {result.case.name[:64]:<64} " + " ".join(f"{text:>7}" for text in figures) + f"  {verdict}"


def page(results: Sequence[Result], seconds: float, limits: Limits) -> str:
    """A table of the whole run: every case whose cost shows, and how many others cost nothing that does."""
    shown = [result for result in results if result.faults or _shows(result)]
    rows = ["| " + " | ".join(COLUMNS) + " |", "| --- |" + " --: |" * (len(COLUMNS) - 1)]
    rows += ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells(result)) + " |" for result in shown]
    broken = sum(bool(result.faults) for result in results)
    last = (
        f"{len(results) - len(shown)} more cases stayed below {SHOWN} in every column. "
        if len(shown) < len(results)
        else ""
    )
    return (
        "\n".join(rows)
        + f"\n\n{last}{len(results)} cases in {seconds / 60:.0f} minutes, {broken} over a limit; limits of time times "
        + f"{limits.slowness:.2f}."
    )


SHOWN = "1 s, 50 ms of work and 100 ms of waiting in one turn, 16 MB and 0.5 s of Postgres time"


def _shows(result: Result) -> bool:
    return (
        result.seconds >= 1
        or result.work >= 0.05
        or result.wait >= 0.1
        or result.grown >= 16 * MB
        or result.kept >= 4 * MB
        or result.postgres >= 0.5
        or result.others >= 1
    )


def write(text: str, page: Path = PAGE) -> None:
    """Put `text` between the marks of the page. Raises ValueError when they are not there."""
    old = page.read_text()
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page} has no place for the results")
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
