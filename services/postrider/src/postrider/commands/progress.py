"""Output of commands that take their time: rows as they are read, and the progress of actions in batches."""

import getpass
import json
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from postrider.commands.common import Record, printable

#: Seconds after which progress is shown.
PATIENCE = 1.0
#: Characters of a progress bar.
BAR = 40


class Lines:
    """Prints the rows of a list page by page in columns of fixed width, or as one JSON array; no row is kept."""

    def __init__(self, columns: Sequence[tuple[str, str, int]], as_json: bool, empty: str) -> None:
        self._columns = columns
        self._json = as_json
        self._empty = empty
        self._count = 0

    def add(self, rows: Sequence[Record]) -> None:
        """Print `rows`."""
        for row in rows:
            if self._json:
                print(",\n " if self._count else "[", json.dumps(row, default=str), sep="", end="")
            else:
                if not self._count:
                    self._print(heading for _, heading, _ in self._columns)
                self._print(self._text(row.get(key)) for key, _, _ in self._columns)
            self._count += 1
        sys.stdout.flush()

    def end(self) -> None:
        """Print what follows the last row."""
        if self._json:
            print("]" if self._count else "[]")
        elif not self._count:
            print(self._empty)

    def _print(self, cells: Any) -> None:
        fitted = (
            (cell[: width - 1] + "\N{HORIZONTAL ELLIPSIS}" if len(cell) > width else cell).ljust(width)
            if width
            else cell
            for cell, (_, _, width) in zip(cells, self._columns, strict=True)
        )
        print("  ".join(fitted).rstrip())

    @staticmethod
    def _text(value: Any) -> str:
        return "-" if value is None else printable(" ".join(str(value).split()))


async def added_up(batches: AsyncIterator[Record], total: int = 0) -> dict[str, int]:
    """Return the sums of the counts of `batches`; on a terminal, show how far they are while they last longer than PATIENCE.

    `total`: the recipients that there are to be; 0 if it is unknown.
    """
    done: Counter[str] = Counter()
    began = time.monotonic()
    shown = False
    async for batch in batches:
        done.update({name: count for name, count in batch.items() if isinstance(count, int)})
        if sys.stderr.isatty() and time.monotonic() - began > PATIENCE:
            shown = True
            print(f"\r{bar(done['recipients'], total)}", end="", file=sys.stderr, flush=True)
    if shown:
        print(file=sys.stderr)
    return {name: done[name] for name in ("messages", "recipients", "busy")}


def bar(done: int, total: int) -> str:
    """Return a line that shows `done` of `total` recipients; without a bar if the total is unknown."""
    if not total:
        return f"{done:,} recipients"
    filled = min(BAR * done // total, BAR)
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {done:,} of {total:,} recipients"


def actor() -> str:
    """Return the name under which the service logs a change: the user and the host that run the command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"[:400]
