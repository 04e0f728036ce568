"""`postrider route`: smart hosts, source addresses and HELO names for some mail."""

from typing import Annotated

import typer

from postrider.commands import common, progress, queue
from postrider.commands.common import Json, Record, fail, show, table

app = typer.Typer(help="Mail that leaves by a smart host, or from another address.", no_args_is_help=True)

Destination = Annotated[str, typer.Option(help="Mail to this domain.")]
Account = Annotated[str, typer.Option(help="Mail sent by this mailbox: its address, or its id.")]
Sender = Annotated[str, typer.Option(help="Mail from addresses in this domain.")]
Name = Annotated[str, typer.Option("--name", help="Mail that `queue route NAME` chooses.")]
Reason = Annotated[str, typer.Option(help="Why, for the trace.")]
All = Annotated[bool, typer.Option("--all", help="All mail to other providers.")]
Bounces = Annotated[bool, typer.Option("--bounces", help="Mail from <>: bounces, and other notifications.")]
Forwards = Annotated[bool, typer.Option("--forwards", help="What forwards and catch-alls send to other providers.")]

_COLUMNS = {
    "kind": "KIND",
    "value": "VALUE",
    "host": "HOST",
    "port": "PORT",
    "tls": "TLS",
    "username": "USER",
    "source_address": "SOURCE",
    "helo": "HELO",
    "sources": "POOL",
}


def _mail(
    destination: str, account: str, sender: str, every: bool, bounces: bool, forwards: bool, name: str
) -> tuple[str, str | None]:
    if bool(destination) + bool(account) + bool(sender) + bool(name) + every + bounces + forwards != 1:
        fail("name a destination, an account or a sender's domain, or say --all, --bounces, --forwards or --name")
    if name:
        return "named", name
    if account:
        return "account", queue.account_id(account)
    if destination or sender:
        return ("destination", destination) if destination else ("sender", sender)
    return "all" if every else "bounces" if bounces else "forwards", None


def _name(route: Record) -> str:
    return f"{route['kind']} {route['value']}".strip()


def _source(text: str) -> dict[str, str | list[str]]:
    """Return a source of a pool, given as `HELO ADDRESS [ADDRESS]`. Ends the command otherwise."""
    helo, *addresses = text.replace(",", " ").split() or [""]
    if not 1 <= len(addresses) <= 2:
        fail(f"{text!r} is not a HELO name and one or two addresses")
    return {"helo": helo, "addresses": addresses}


@app.command("add")
def add(
    destination: Destination = "",
    account: Account = "",
    sender: Sender = "",
    every: All = False,
    bounces: Bounces = False,
    forwards: Forwards = False,
    name: Name = "",
    host: Annotated[str, typer.Option(help="The smart host's name; the domain's own hosts if left out.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 587,
    tls: Annotated[str, typer.Option(help="starttls or implicit, both verified, or opportunistic.")] = "starttls",
    user: Annotated[str, typer.Option(help="The name for AUTH; the password is asked for.")] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from there.")] = False,
    source: Annotated[str, typer.Option(help="The address of this machine to connect from.")] = "",
    helo: Annotated[str, typer.Option(help="The name to greet with.")] = "",
    reason: Reason = "",
    pool: Annotated[
        list[str] | None,
        typer.Option(help="`HELO ADDRESS [ADDRESS]`, several times: sources among which messages are divided."),
    ] = None,
    json: Json = False,
) -> None:
    """Set where some mail goes; it takes the place of an earlier route for the same mail."""
    kind, value = _mail(destination, account, sender, every, bounces, forwards, name)
    given = {
        "host": host or None,
        "port": port,
        "tls": tls,
        "username": user or None,
        "password": common.read_password(password_stdin) if user else None,
        "source_address": source or None,
        "helo": helo or None,
        "pool": [_source(each) for each in pool or ()],
        "actor": progress.actor(),
        "reason": reason,
    }
    made = common.queue(lambda client: client.set_route(kind, value, **given))
    where = f"by {made['host']}, port {made['port']}" if made["host"] else "by its own hosts"
    sources = f", from {len(made['pool'])} sources" if made["pool"] else ""
    show(made, json, f"{_name(made)}: mail goes {where}{sources}")


@app.command("ls")
def ls(json: Json = False) -> None:
    """List routes; passwords are not shown."""
    rows = common.queue(lambda client: client.list_routes())
    if not json:
        rows = [
            row | {"sources": [" ".join((each["helo"], *each["addresses"])) for each in row["pool"]]} for row in rows
        ]
    table(rows, json, _COLUMNS, "all mail goes to the hosts of its domain")


@app.command("rm")
def rm(
    destination: Destination = "",
    account: Account = "",
    sender: Sender = "",
    every: All = False,
    bounces: Bounces = False,
    forwards: Forwards = False,
    name: Name = "",
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Delete a route: its mail goes as any other."""
    kind, value = _mail(destination, account, sender, every, bounces, forwards, name)
    gone = common.queue(lambda client: client.delete_route(kind, value, actor=progress.actor(), reason=reason))
    show(gone, json, f"{_name(gone)}: mail goes to the hosts of its domain")
