"""The command that writes a mailbox into a file (docs/operate/moving-in.md)."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from mailkit.errors import PostriderError
from postrider.commands.common import Json, auth, endpoint, fail, show

#: Events of the mailbox that the account record has at most, the latest first.
MOST_EVENTS = 10_000


def export(
    mailbox: str,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The tar file to write; by default MAILBOX.tar.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a mailbox into a tar file: a Maildir++ with flags, dates, UIDs and UIDLs, the account record, forwards, events.

    `postrider import maildir` of its Maildir gives the same mailbox. The password's hash is not in it.
    """
    record = auth(lambda client: client.mailbox(mailbox))
    forwards = auth(lambda client: client.forwards(record["domain"]))
    record["forwards"] = [each for each in forwards if each["address"] == record["address"]]
    path = output or Path(f"{record['address'].replace('/', '_')}.tar")
    if path.exists():
        fail(f"{path} exists already")
    beside = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            archive, notes = _written(file, record)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    finally:
        with suppress(OSError):
            beside.unlink()
    sentence = f"{path} has {archive.messages:,} messages of {record['address']}"
    show(
        {"mailbox": record["address"], "file": str(path), "messages": archive.messages, **notes.record()},
        json,
        sentence,
    )
    if not json:
        from postrider.moving.page import reasons  # noqa: PLC0415 - `--help` needs no writer

        print("\n".join(reasons(notes)), end="", file=sys.stderr)


def _written(file: Any, record: dict[str, Any]) -> tuple[Any, Any]:
    """Write the tar; return the archive and its notes. A refusal ends the command."""
    import tarfile  # noqa: PLC0415

    from mailstore_api.admin import MailstoreAdmin  # noqa: PLC0415
    from postrider.moving.archive import Archive  # noqa: PLC0415
    from postrider.moving.meter import Meter  # noqa: PLC0415
    from postrider.moving.notes import Notes  # noqa: PLC0415

    at_mailstore = endpoint("MAILSTORE")
    notes, meter = Notes(), Meter("messages")

    async def run(tar: tarfile.TarFile) -> Archive:
        client = MailstoreAdmin(*at_mailstore)
        try:
            record["events"] = []
            async for page in client.mailbox_trace(record["id"], limit=500):
                record["events"] += page
                if len(record["events"]) >= MOST_EVENTS:
                    break
            archive = Archive(tar, record["address"], notes, meter)
            await archive.write(client, UUID(record["id"]), record)
        finally:
            await client.aclose()
        return archive

    try:
        with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            archive = asyncio.run(run(tar))
        meter.end()
    except PostriderError as error:
        fail(str(error))
    return archive, notes
