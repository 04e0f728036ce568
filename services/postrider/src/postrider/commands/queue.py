"""Commands that look at the queue: list messages under way, show one, count what they have in common."""

import sys
from typing import Annotated, Any
from uuid import UUID

import typer

from postrider.commands import common, progress, top_groups, trace_lines
from postrider.commands.common import Json, fail, show, table

app = typer.Typer(help="Messages under way.", no_args_is_help=True)

Sender = Annotated[str, typer.Option(help="Only from this address.")]
To = Annotated[str, typer.Option(help="Only with this recipient.")]
Domain = Annotated[str, typer.Option(help="Only with a recipient in this domain.")]
Account = Annotated[str, typer.Option(help="Only sent by this mailbox: its address, or its id.")]
State = Annotated[str, typer.Option(help="Only waiting, claimed (being tried) or held.")]
Older = Annotated[str, typer.Option(help="Only accepted longer ago than this: 90s, 30m, 4h, 2d.")]
Newer = Annotated[str, typer.Option(help="Only accepted within this time.")]
Reply = Annotated[str, typer.Option(help="Only with this text in the last reply.")]
All = Annotated[bool, typer.Option("--all", help="All messages.")]

#: What most actions do with a reason.
WHY = "Why, for the trace."

#: Messages of one page of the list.
PAGE = 200
#: Columns of the list: key, heading, width. The last one takes the rest of the line.
COLUMNS = (
    ("id", "ID", 32),
    ("sender", "SENDER", 32),
    ("recipients", "LEFT", 5),
    ("state", "STATE", 7),
    ("next_attempt", "NEXT TRY", 20),
    ("reply", "LAST REPLY", 0),
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def chosen(
    sender: str, recipient: str, domain: str, account: str, state: str, older: str, newer: str, reply: str
) -> dict[str, Any]:
    given = {
        "sender": sender,
        "recipient": recipient,
        "domain": domain,
        "account": account and account_id(account),
        "state": state,
        "older": older and seconds(older),
        "newer": newer and seconds(newer),
        "reply": reply,
    }
    return {name: value for name, value in given.items() if value != ""}


def seconds(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdecimal() and len(number) < 10 and unit in _UNITS):
        fail(f"{text!r} is not a time; write for example 90s, 30m, 4h or 2d", 2)
    return int(number) * _UNITS[unit]


def account_id(text: str) -> str:
    """Return the id of a mailbox named by its address or by its id."""
    if "@" not in text:
        return known(text, "a mailbox's address or id")
    return str(common.auth(lambda client: client.mailbox(text))["id"])


def known(text: str, what: str = "a queue id; `postrider queue ls` shows them") -> str:
    try:
        return UUID(text).hex
    except ValueError:
        fail(f"{text!r} is not {what}")


@app.command("ls")
def ls(
    sender: Sender = "",
    recipient: To = "",
    domain: Domain = "",
    account: Account = "",
    state: State = "",
    older: Older = "",
    newer: Newer = "",
    reply: Reply = "",
    limit: Annotated[int, typer.Option(min=1, help="Limit on the messages shown; all if left out.")] = sys.maxsize,
    json: Json = False,
) -> None:
    """List messages under way, oldest first, as they are read."""
    wanted = chosen(sender, recipient, domain, account, state, older, newer, reply)
    common.queue(lambda client: _print_pages(client, wanted, limit, json))


async def _print_pages(client: Any, wanted: dict[str, Any], limit: int, as_json: bool) -> None:
    lines = progress.Lines(COLUMNS, as_json, "the queue is empty")
    left = limit
    async for page in client.list_queue(limit=min(left, PAGE), **wanted):
        lines.add(page[:left])
        left -= len(page)
        if left <= 0:
            break
    lines.end()


@app.command("show")
def show_message(queue_id: str, json: Json = False) -> None:
    """Show the state of a message and its recipients, also for a week after it is finished."""
    record = common.queue(lambda client: client.show_message(known(queue_id)))
    if json:
        show(record, True)
        return
    trace = record.get("trace")
    show(record, False, trace_lines.who(trace) if trace else f"{record['id']} from <{record['sender']}>")
    for pause in record.get("pauses", ()):
        show(
            pause,
            False,
            f"not tried: {pause['kind']} {pause['value']} is paused since {pause['since']}: {pause['reason']}",
        )
    held = [recipient["held_at"] for recipient in record["recipients"] if recipient["state"] == "held"]
    if held or record.get("pauses"):
        since = f"held since {min(held)}: " if held else ""
        show(
            record,
            False,
            f"{since}it neither expires nor bounces while it is held or paused; afterwards it is tried once more, also after {record['expires']}",
        )
    columns = {
        "address": "RECIPIENT",
        "state": "STATE",
        "tries": "TRIES",
        "next_attempt": "NEXT TRY",
        "remote_host": "HOST",
        "reply": "LAST REPLY",
    }
    table(record["recipients"], False, columns, "it has no recipients")
    for why in sorted({each["held_back"] for each in record["recipients"] if each.get("held_back")}):
        show(record, False, why)
    if record.get("next") is not None:
        typer.echo(f"these are the first {len(record['recipients'])} recipients")
    if trace:
        for line in trace_lines.story({"kind": "message", **trace})[1:]:
            show(trace, False, line)


Limit = Annotated[int, typer.Option(min=1, max=1000, help="Groups shown.")]


@app.command("top")
def top(
    by: Annotated[str, typer.Option(help="What to count by: domain, sender, account or reply.")] = "domain",
    sender: Sender = "",
    recipient: To = "",
    domain: Domain = "",
    account: Account = "",
    state: State = "",
    older: Older = "",
    newer: Newer = "",
    reply: Reply = "",
    limit: Limit = 20,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two counts.")] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Count once.")] = False,
    json: Json = False,
) -> None:
    """Show what most of the queue has in common, counted anew until Ctrl-C; once with --json or without a terminal."""
    wanted = chosen(sender, recipient, domain, account, state, older, newer, reply)
    live = not (once or json) and sys.stdout.isatty()
    common.queue(lambda client: top_groups.watch(client, by, wanted, limit, every if live else 0, json))


@app.command("shaping")
def shaping(json: Json = False) -> None:
    """Show the operators of mail hosts that many domains share, and what is held back for their limits."""
    rows = common.queue(lambda client: client.list_shaping())
    columns = {
        "name": "OPERATOR",
        "suffixes": "HOSTS",
        "conversations": "CONVERSATIONS",
        "conversations_max": "MOST",
        "per_minute": "PER MINUTE",
        "paused_until": "PAUSED UNTIL",
        "limited": "LIMITED",
        "reply": "REPLY",
    }
    table(rows, json, columns, "no operator is known")
