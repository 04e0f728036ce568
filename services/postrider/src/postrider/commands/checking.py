"""`postrider mailstore check`: compares what mailstore holds, row by row, and repairs it (docs/decisions/0121)."""

import json as codec
import sys
import time
from typing import Annotated, Any

import typer

from postrider.commands.common import Json, Record, auth, mailstore, printable
from postrider.commands.progress import BAR, PATIENCE

app = typer.Typer(help="mailstore: the check of what it holds.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep `check` a subcommand, also while it is the only one."""


@app.command("check")
def check(
    mailbox: Annotated[str, typer.Option(help="Only this mailbox, by its address.")] = "",
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired.")] = False,
    json: Json = False,
) -> None:
    """Compare rows, bodies and counters while the service runs; a line for each finding, then the sums.

    Status 0: all is right, or was repaired; 1: something is wrong. A message whose body is gone cannot be repaired: restore it from a backup.
    """
    mailbox_id = auth(lambda client: client.mailbox(mailbox))["id"] if mailbox else None
    sums = {"mailboxes": 0, "messages": 0, "bodies": 0, "findings": 0, "fixed": 0}

    async def run(client: Any) -> None:
        began = time.monotonic()
        async for part in client.check(fix=fix, mailbox_id=mailbox_id):
            for finding in part["findings"]:
                sums["findings"] += 1
                sums["fixed"] += finding["fixed"]
                print(codec.dumps(finding) if json else _line(finding), flush=True)
            for name in ("mailboxes", "messages", "bodies"):
                sums[name] += part[name]
            if sys.stderr.isatty() and time.monotonic() - began > PATIENCE:
                print(f"\r{_bar(sums, part['messages_about'])}", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty() and time.monotonic() - began > PATIENCE:
            print(file=sys.stderr)

    mailstore(run)
    if json:
        print(codec.dumps(sums))
    else:
        checked = (
            f"{sums['mailboxes']:,} mailboxes, {sums['messages']:,} messages and {sums['bodies']:,} bodies checked"
        )
        print(f"{checked}: {_outcome(sums)}")
    if sums["findings"] > sums["fixed"]:
        raise typer.Exit(1)


def _outcome(sums: dict[str, int]) -> str:
    if not sums["findings"]:
        return "all is right"
    return f"{sums['findings']:,} findings, {sums['fixed']:,} of them repaired"


def _line(finding: Record) -> str:
    where = f"mailbox {finding['mailbox_id']}" if finding["mailbox_id"] else ""
    folder = f"folder {finding['folder']}" if finding["folder"] else ""
    parts = [finding["kind"], where, folder, finding["detail"], "repaired" if finding["fixed"] else ""]
    return printable("  ".join(part for part in parts if part))


def _bar(sums: dict[str, int], messages_about: int) -> str:
    if sums["messages"] >= messages_about or sums["bodies"]:
        return f"{sums['messages']:,} messages, {sums['bodies']:,} bodies"
    filled = BAR * sums["messages"] // messages_about
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {sums['messages']:,} of about {messages_about:,} messages"
