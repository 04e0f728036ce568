"""Commands for app passwords, and for mailboxes whose mail clients use nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from postrider.commands.common import Json, auth, fail, show, table

app = typer.Typer(
    help="App passwords: one for each device or program of a mailbox, revoked without the others.", no_args_is_help=True
)


@app.command("add")
def add(
    address: str,
    name: Annotated[str, typer.Argument(help="Of the device or program, such as 'phone'.")],
    protocol: Annotated[
        list[str], typer.Option(help="smtp, pop3 or imap; may be repeated. All of them when left out.")
    ] = [],  # noqa: B006 - typer reads the default
    network: Annotated[list[str], typer.Option(help="Only from here, such as 192.0.2.0/24; may be repeated.")] = [],  # noqa: B006
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days for which it is good; for ever when left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Make an app password and show it, once.

    Type it into the mail client in place of the mailbox's password: with or without the hyphens. Without smtp, a POP3 or
    IMAP login with it does not let the client's address send either.
    """
    until = datetime.now(UTC) + timedelta(days=days) if days else None
    record = auth(
        lambda client: client.make_app_password(address, name, protocols=protocol, networks=network, expires_at=until)
    )
    show(record, json, f"{record['password']} is the app password {record['name']} of {address}; it is not shown again")


@app.command("ls")
def ls(address: str, json: Json = False) -> None:
    """List the app passwords of a mailbox; LAST USE is to the hour."""
    columns = {
        "name": "NAME",
        "protocols": "PROTOCOLS",
        "networks": "NETWORKS",
        "expires_at": "UNTIL",
        "last_used_at": "LAST USE",
        "last_used_from": "FROM",
    }
    table(auth(lambda client: client.app_passwords(address)), json, columns, f"{address} has no app passwords")


@app.command("rm")
def rm(
    address: str, name: Annotated[str, typer.Argument(help="Its name, as ls shows it.")], json: Json = False
) -> None:
    """Revoke an app password: logins with it are refused at once, and its sessions end within seconds."""
    found = [row for row in auth(lambda client: client.app_passwords(address)) if row["name"] == name]
    if not found:
        fail(f"{address} has no app password {name}; `postrider app-password ls {address}` shows what there is")
    auth(lambda client: client.revoke_app_password(address, found[0]["id"]))
    show({"address": address} | found[0], json, f"the app password {name} of {address} is revoked")


def main_password(
    address: str, state: Annotated[str, typer.Argument(help="on, or off: app passwords only.")], json: Json = False
) -> None:
    """Say whether mail clients may log in with a mailbox's main password."""
    if state not in ("on", "off"):
        fail(f"{state} is neither on nor off; `postrider mailbox main-password --help` shows how", 2)
    record = auth(lambda client: client.set_main_password(address, state == "on"))
    says = (
        "mail clients log in with the password of {} again"
        if state == "on"
        else "mail clients log in to {} with app passwords only"
    )
    show(record, json, says.format(record["address"]))
