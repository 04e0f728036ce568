"""The dry run of `postrider import vpopmail`: reads all, changes nothing."""

from contextlib import ExitStack
from pathlib import Path

from postrider.moving.mapping import plan
from postrider.moving.meter import Meter
from postrider.moving.notes import Notes
from postrider.moving.page import Sums
from vpopmail.host import VpopmailHost


def dry_run(path: Path, file: Path | None) -> tuple[Sums, Notes]:
    """Return what a host becomes; `file` gets all notes. Raises Unreadable, OSError for `file`."""
    with ExitStack() as open_files:
        notes = Notes(open_files.enter_context(file.open("w", encoding="utf-8")) if file else None)
        host = open_files.enter_context(VpopmailHost(str(path), notes.skipped))
        defaults, sums, meter = host.default_limits(), Sums(), Meter("domains", host.count())
        if defaults:
            notes.add("no place", "etc/vlimits.default", "limits of all domains")
        for domain in host.domains():
            sums.add(plan(domain, defaults, notes))
            meter.add()
        meter.end()
    return sums, notes
