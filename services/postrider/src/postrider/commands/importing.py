"""Commands that bring mailboxes from other systems (docs/operate/moving-in.md)."""

from pathlib import Path
from typing import Annotated

import typer

from postrider.commands.common import Json, fail, show

app = typer.Typer(help="Move in from another mail system.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what maps to what and what does not; change nothing.")]
NotesFile = Annotated[
    Path | None, typer.Option("--notes", metavar="FILE", help="Write every single note there, a line each.")
]


@app.command("vpopmail")
def vpopmail(path: Path, dry_run: DryRun = False, notes: NotesFile = None, json: Json = False) -> None:
    """Read a vpopmail host from PATH: a folder with its users/, domains/ and etc/, or a copy of its root.

    Links are not followed, programs are not run, and nothing outside PATH is read.
    """
    if not dry_run:
        fail("only --dry-run is there yet", 2)
    from postrider.moving.dry_run import dry_run as look  # noqa: PLC0415 - `--help` needs no reader
    from vpopmail.tree import Unreadable  # noqa: PLC0415

    try:
        sums, found = look(path, notes)
    except Unreadable as error:
        fail(f"{path}: {error}")
    except OSError as error:
        fail(f"{notes}: {error.strerror}")
    from postrider.moving.page import page  # noqa: PLC0415

    show({"path": str(path), **sums.record(), **found.record()}, True) if json else print(page(str(path), sums, found))
