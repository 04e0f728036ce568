"""The queue: what is under way, where a message is and why, and "try now"."""

from typing import Annotated

import typer

from postrider.commands import common
from postrider.commands.common import Json, fail, show, table

app = typer.Typer(help="Messages under way.", no_args_is_help=True)


@app.command("ls")
def ls(json: Json = False) -> None:
    """List messages under way, oldest first."""
    rows = common.queue(lambda client: client.list_queue())
    columns = {"id": "ID", "sender": "SENDER", "recipients": "LEFT", "next_attempt": "NEXT TRY", "reply": "LAST REPLY"}
    table(rows, json, columns, "the queue is empty")


@app.command("show")
def show_message(queue_id: str, json: Json = False) -> None:
    """Show where a message is and why; finished ones too, for a week."""
    record = common.queue(lambda client: client.show_message(queue_id))
    if json:
        show(record, True)
        return
    print(f"{record['id']} from <{record['sender']}>, since {record['first_seen']}")
    columns = {
        "address": "RECIPIENT", "state": "STATE", "tries": "TRIES", "next_attempt": "NEXT TRY", "remote_host": "HOST", "reply": "LAST REPLY",
    }  # fmt: skip
    table(record["recipients"], False, columns, "it has no recipients")


@app.command("retry")
def retry(
    queue_id: Annotated[str, typer.Argument()] = "",
    every: Annotated[bool, typer.Option("--all", help="All messages.")] = False,
    json: Json = False,
) -> None:
    """Try a message's waiting recipients now, or all with --all."""
    if bool(queue_id) == every:
        fail("name one message, or say --all")
    count = common.queue(lambda client: client.retry_all() if every else client.retry_message(queue_id))
    show({"recipients": count}, json, f"{count} recipients are tried now")
