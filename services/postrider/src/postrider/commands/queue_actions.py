"""Commands that change the recipients of the queue that ids or a filter name."""

import sys
from typing import Annotated, Any

import typer

from postrider.commands import common, progress
from postrider.commands.common import Json, fail, show
from postrider.commands.queue import WHY, Account, All, Domain, Newer, Older, Reply, Sender, State, To, chosen, known
from postrider.commands.queue import app as app

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Messages, as `queue ls` shows them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


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
        wanted = chosen(sender, recipient, domain, account, state, older, newer, reply)
        given = _given(ids, wanted, every, reason)
        _change(action, given, done, dry_run=dry_run, asks=name if final and not yes else "", as_json=json)

    run.__doc__ = text
    app.command(name)(run)


def _given(ids: list[str] | None, wanted: dict[str, Any], every: bool, reason: str) -> dict[str, Any]:
    """Return what an action is given of its recipients, actor and reason. Ends the command unless one of them is named."""
    if bool(ids) + bool(wanted) + every != 1:
        fail("name messages, or a filter, or say --all")
    of = {"ids": [known(each) for each in ids]} if ids else {"filter": wanted} if wanted else {"all": True}
    return {**of, "actor": progress.actor(), **({"reason": reason} if reason else {})}


def _change(action: str, given: dict[str, Any], done: str, *, dry_run: bool, asks: str, as_json: bool) -> None:
    """Act, and say what was `done`. `asks`: the command's name if it is to be confirmed, else ""."""
    total = 0
    if not dry_run and (asks or sys.stderr.isatty()):
        count = _act(action, {**given, "dry_run": True})
        total = count["recipients"]
        if asks:
            common.confirm(f"{asks} {total} recipients of {count['messages']} messages?", False)
    counts = _act(action, {**given, "dry_run": dry_run}, total)
    busy = f"; being tried, left alone: {counts['busy']}" if counts["busy"] else ""
    show(counts, as_json, f"recipients {'that would be ' * dry_run}{done}: {counts['recipients']}{busy}")


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


@app.command("route")
def route(
    name: Annotated[str, typer.Argument(help="A route's name (`postrider route add --name`), or `default` for none.")],
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
    reason: Annotated[str, typer.Option(help=WHY)] = "",
    json: Json = False,
) -> None:
    """Send recipients at other providers by the route NAME, now unless they are held."""
    wanted = chosen(sender, recipient, domain, account, state, older, newer, reply)
    given = _given(ids, wanted, every, reason) | {"route": "" if name == "default" else name}
    _change("route", given, f"sent by {name}", dry_run=dry_run, asks="", as_json=json)
