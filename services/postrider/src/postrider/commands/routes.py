"""`postrider route`: smart hosts, source addresses and HELO names for some mail."""

from typing import Annotated

import typer

from postrider.commands import common, progress, queue
from postrider.commands.common import Json, fail, show, table

app = typer.Typer(help="Mail that leaves by a smart host, or from another address.", no_args_is_help=True)

Destination = Annotated[str, typer.Option(help="Mail to this domain.")]
Account = Annotated[str, typer.Option(help="Mail sent by this mailbox: its address, or its id.")]
Sender = Annotated[str, typer.Option(help="Mail from addresses in this domain.")]
Reason = Annotated[str, typer.Option(help="Why, for the trace.")]
All = Annotated[bool, typer.Option("--all", help="All mail to other providers.")]

_COLUMNS = {
    "kind": "KIND",
    "value": "VALUE",
    "host": "HOST",
    "port": "PORT",
    "tls": "TLS",
    "username": "USER",
    "source_address": "SOURCE",
    "helo": "HELO",
}


def _mail(destination: str, account: str, sender: str, every: bool) -> tuple[str, str | None]:
    if bool(destination) + bool(account) + bool(sender) + every != 1:
        fail("name a destination, an account or a sender's domain, or say --all")
    if every:
        return "all", None
    if account:
        return "account", queue.account_id(account)
    return ("destination", destination) if destination else ("sender", sender)


@app.command("add")
def add(
    destination: Destination = "",
    account: Account = "",
    sender: Sender = "",
    every: All = False,
    host: Annotated[str, typer.Option(help="The smart host's name; the domain's own hosts if left out.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 587,
    tls: Annotated[str, typer.Option(help="starttls or implicit, both verified, or opportunistic.")] = "starttls",
    user: Annotated[str, typer.Option(help="The name for AUTH; the password is asked for.")] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from there.")] = False,
    source: Annotated[str, typer.Option(help="The address of this machine to connect from.")] = "",
    helo: Annotated[str, typer.Option(help="The name to greet with.")] = "",
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Set where some mail goes; it takes the place of an earlier route for the same mail."""
    kind, value = _mail(destination, account, sender, every)
    given = {
        "host": host or None,
        "port": port,
        "tls": tls,
        "username": user or None,
        "password": common.read_password(password_stdin) if user else None,
        "source_address": source or None,
        "helo": helo or None,
        "actor": progress.actor(),
        "reason": reason,
    }
    made = common.queue(lambda client: client.set_route(kind, value, **given))
    where = f"by {made['host']}, port {made['port']}" if made["host"] else "by its own hosts"
    show(made, json, f"{made['kind']} {made['value']}: mail goes {where}")


@app.command("ls")
def ls(json: Json = False) -> None:
    """List routes; passwords are not shown."""
    table(common.queue(lambda client: client.list_routes()), json, _COLUMNS, "all mail goes to the hosts of its domain")


@app.command("rm")
def rm(
    destination: Destination = "",
    account: Account = "",
    sender: Sender = "",
    every: All = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Delete a route: its mail goes as any other."""
    kind, value = _mail(destination, account, sender, every)
    gone = common.queue(lambda client: client.delete_route(kind, value, actor=progress.actor(), reason=reason))
    show(gone, json, f"{gone['kind']} {gone['value']}: mail goes to the hosts of its domain")
