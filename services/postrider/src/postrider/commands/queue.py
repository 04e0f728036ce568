"""Commands for the queue: list messages under way, show one, and try messages now."""

import sys
from typing import Annotated, Any
from uuid import UUID

import typer

from postrider.commands import common
from postrider.commands.common import Json, fail, show, table

app = typer.Typer(help="Messages under way.", no_args_is_help=True)


#: Messages of one page of the list: a service answers that many well within the client's timeout.
PAGE = 1000


@app.command("ls")
def ls(
    sender: Annotated[str, typer.Option(help="Only from this address.")] = "",
    recipient: Annotated[str, typer.Option(help="Only with this recipient.")] = "",
    domain: Annotated[str, typer.Option(help="Only with a recipient in this domain.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Limit on the messages shown; all if left out.")] = sys.maxsize,
    json: Json = False,
) -> None:
    """List messages under way, oldest first."""
    rows = common.queue(lambda client: _pages(client, limit, sender or None, recipient or None, domain or None))
    columns = {"id": "ID", "sender": "SENDER", "recipients": "LEFT", "next_attempt": "NEXT TRY", "reply": "LAST REPLY"}
    table(rows, json, columns, "the queue is empty")


async def _pages(
    client: Any, limit: int, sender: str | None, recipient: str | None, domain: str | None
) -> list[common.Record]:
    rows: list[common.Record] = []
    while len(rows) < limit:
        size = min(PAGE, limit - len(rows))
        after = rows[-1]["id"] if rows else None
        page = await client.list_queue(after=after, limit=size, sender=sender, recipient=recipient, domain=domain)
        rows += page
        if len(page) < size:
            break
    return rows


def _known(queue_id: str) -> str:
    try:
        return UUID(queue_id).hex
    except ValueError:
        fail(f"{queue_id!r} is not a queue id; `postrider queue ls` shows them")


@app.command("show")
def show_message(queue_id: str, json: Json = False) -> None:
    """Show the state of a message and its recipients, also for a week after it is finished."""
    record = common.queue(lambda client: client.show_message(_known(queue_id)))
    if json:
        show(record, True)
        return
    show(record, False, f"{record['id']} from <{record['sender']}>, since {record['first_seen']}")
    columns = {
        "address": "RECIPIENT",
        "state": "STATE",
        "tries": "TRIES",
        "next_attempt": "NEXT TRY",
        "remote_host": "HOST",
        "reply": "LAST REPLY",
    }
    table(record["recipients"], False, columns, "it has no recipients")
    if record.get("next") is not None:
        typer.echo(f"these are the first {len(record['recipients'])} recipients")


@app.command("retry")
def retry(
    queue_id: Annotated[str, typer.Argument()] = "",
    every: Annotated[bool, typer.Option("--all", help="All messages.")] = False,
    json: Json = False,
) -> None:
    """Try a message's waiting recipients now, or all with --all."""
    if bool(queue_id) == every:
        fail("name one message, or say --all")
    count = common.queue(lambda client: client.retry_all() if every else client.retry_message(_known(queue_id)))
    show({"recipients": count}, json, f"recipients tried now: {count}")
