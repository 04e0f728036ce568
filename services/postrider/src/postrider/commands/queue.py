"""Commands for the queue: list messages under way, show one, act on those that a filter matches, and pause mail."""

import sys
from typing import Annotated, Any
from uuid import UUID

import typer

from postrider.commands import common, progress, top_groups, trace_lines
from postrider.commands.common import Json, fail, show, table

app = typer.Typer(help="Messages under way.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Messages, as `queue ls` shows them.")]
Sender = Annotated[str, typer.Option(help="Only from this address.")]
To = Annotated[str, typer.Option(help="Only with this recipient.")]
Domain = Annotated[str, typer.Option(help="Only with a recipient in this domain.")]
Account = Annotated[str, typer.Option(help="Only sent by this mailbox: its address, or its id.")]
State = Annotated[str, typer.Option(help="Only waiting, claimed (being tried) or held.")]
Older = Annotated[str, typer.Option(help="Only accepted longer ago than this: 90s, 30m, 4h, 2d.")]
Newer = Annotated[str, typer.Option(help="Only accepted within this time.")]
Reply = Annotated[str, typer.Option(help="Only with this text in the last reply.")]
All = Annotated[bool, typer.Option("--all", help="All messages.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

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


def _filter(
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
    wanted = _filter(sender, recipient, domain, account, state, older, newer, reply)
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
    wanted = _filter(sender, recipient, domain, account, state, older, newer, reply)
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


#: What most actions do with a reason.
WHY = "Why, for the trace."


def _action(name: str, action: str, done: str, text: str, *, final: bool = False, why: str = WHY) -> None:
    """Define the command `name`. `final`: what it does cannot be undone, and it asks first. `why`: the help on its reason."""

    def run(
        ids: Ids = None,
        sender: Sender = "",
        recipient: To = "",
        domain: Domain = "",
        account: Account = "",
        state: State = "",
        older: Older = "",
        newer: Newer = "",
        reply: Reply = "",
        every: All = False,
        dry_run: DryRun = False,
        yes: Yes = False,
        reason: Annotated[str, typer.Option(help=why)] = "",
        json: Json = False,
    ) -> None:
        wanted = _filter(sender, recipient, domain, account, state, older, newer, reply)
        if bool(ids) + bool(wanted) + every != 1:
            fail("name messages, or a filter, or say --all")
        given: dict[str, Any] = (
            {"ids": [known(each) for each in ids]} if ids else {"filter": wanted} if wanted else {"all": True}
        )
        given["actor"] = progress.actor()
        if reason:
            given["reason"] = reason
        asks, total = final and not yes, 0
        if not dry_run and (asks or sys.stderr.isatty()):
            count = _act(action, {**given, "dry_run": True})
            total = count["recipients"]
            if asks:
                common.confirm(f"{name} {total} recipients of {count['messages']} messages?", False)
        counts = _act(action, {**given, "dry_run": dry_run}, total)
        busy = f"; being tried, left alone: {counts['busy']}" if counts["busy"] else ""
        show(counts, json, f"recipients {'that would be ' * dry_run}{done}: {counts['recipients']}{busy}")

    run.__doc__ = text
    app.command(name)(run)


def _act(action: str, given: dict[str, Any], total: int = 0) -> dict[str, int]:
    return common.queue(lambda client: progress.added_up(client.act_on_queue(action, **given), total))


_action("hold", "hold", "held", "Let recipients wait until they are released. They do not expire meanwhile.")
_action("release", "release", "released", "Try held recipients again.")
_action("retry", "retry", "tried now", "Try waiting recipients now.")
_action("rm", "remove", "removed", "Remove recipients; no notice is sent.", final=True)
_action(
    "bounce",
    "bounce",
    "bounced",
    "Give recipients up, with a bounce to their sender.",
    final=True,
    why="What the bounce says; in the trace too.",
)
_action("expire", "expire", "expired", "Give recipients up as if their lifetime were over.", final=True)
