"""Commands for expunged messages: what of a mailbox can be undeleted, and its return (docs/decisions/0120)."""

import sys
import time
from typing import Annotated, Any

import typer

from postrider.commands.common import Json, Record, auth, fail, mailstore, show
from postrider.commands.progress import PATIENCE, Lines
from postrider.commands.queue import seconds

#: Numbers that mailstore takes in one call.
MOST = 500

Folder = Annotated[str, typer.Option(help="Only those deleted from this folder.")]
Since = Annotated[str, typer.Option(help="Only those deleted within this time: 90s, 30m, 4h, 2d.")]

_COLUMNS = [
    ("number", "NUMBER", 8),
    ("at", "DELETED", 19),
    ("folder", "FOLDER", 16),
    ("size", "SIZE", 10),
    ("sender", "FROM", 30),
    ("subject", "SUBJECT", 0),
]


def deleted(
    mailbox: str,
    folder: Folder = "",
    since: Since = "",
    limit: Annotated[int, typer.Option(min=1, help="Messages shown.")] = 100,
    json: Json = False,
) -> None:
    """List expunged messages that can be undeleted, the last deleted first; `undelete` takes their numbers.

    They are kept for POSTRIDER_UNDELETE_DAYS, beyond the quota and up to as much again, the oldest being dropped first.
    """
    record = auth(lambda client: client.mailbox(mailbox))
    filters = _filters(folder, since)
    lines = Lines(_COLUMNS, json, f"{record['address']} has no deleted messages that can come back")

    async def read(client: Any) -> None:
        left = limit
        async for page in client.deleted(record["id"], limit=min(limit, 200), **filters):
            lines.add(page[:left])
            left -= len(page)
            if left <= 0:
                return

    mailstore(read)
    lines.end()


def undelete(
    mailbox: str,
    numbers: Annotated[list[int] | None, typer.Argument(help="The messages, as `deleted` numbers them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that can be undeleted.")] = False,
    folder: Folder = "",
    since: Since = "",
    to: Annotated[
        str, typer.Option(help="The folder to which they come; else the one that they were in, or INBOX.")
    ] = "",
    json: Json = False,
) -> None:
    """Bring expunged messages back, under new UIDs: some by their numbers, or those of a folder, of a time, or all.

    postrider mailbox undelete alice@example.test --folder Sent --since 2h
    """
    described = bool(everything or folder or since)
    if bool(numbers) == described:
        fail("say which messages: their numbers, or --folder, --since or --all", 2)
    record = auth(lambda client: client.mailbox(mailbox))
    wanted: Record = {"to": to, **_filters(folder, since)}
    asked = sorted(set(numbers or []))
    parts = [{"numbers": asked[at : at + MOST], "to": to} for at in range(0, len(asked), MOST)] or [wanted]
    done = {"restored": 0, "lost": 0}

    async def restore(client: Any) -> None:
        began = time.monotonic()
        for part in parts:
            async for batch in client.undelete(record["id"], **part):
                done["restored"] += batch["restored"]
                done["lost"] += batch["lost"]
                if sys.stderr.isatty() and time.monotonic() - began > PATIENCE:
                    print(f"\r{done['restored']:,} messages", end="", file=sys.stderr, flush=True)

    try:
        mailstore(restore)
    except typer.Exit:
        if done["restored"]:
            print(f"postrider: {done['restored']:,} messages came back before that", file=sys.stderr)
        raise
    missing = len(asked) - done["restored"] - done["lost"] if asked else 0
    sentence = f"{done['restored']:,} messages of {record['address']} are back"
    if done["lost"]:
        sentence += f"; {done['lost']:,} are lost, since their bodies are gone"
    if missing:
        sentence += f"; {missing:,} of the numbers are not there (any more)"
    show({"address": record["address"], **done, "missing": missing}, json, sentence)
    if missing and not done["restored"]:
        raise typer.Exit(1)


def _filters(folder: str, since: str) -> Record:
    return ({"folder": folder} if folder else {}) | ({"newer": seconds(since)} if since else {})
