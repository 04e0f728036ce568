"""Commands for mailboxes: add, list and change them, and remove them in three steps."""

from typing import Annotated

import typer

from postrider.commands.common import (
    Json,
    auth,
    confirm,
    endpoint,
    fail,
    gone,
    mailstore,
    parse_size,
    queue,
    read_password,
    show,
    table,
)
from postrider.commands.progress import actor

app = typer.Typer(help="Mailboxes: addresses that can log in.", no_args_is_help=True)

Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Hash = Annotated[
    bool,
    typer.Option(
        "--password-hash", help="Read its crypt hash from standard input: $1$, $5$, $6$, bcrypt, DES or argon2."
    ),
]


@app.command("add")
def add(
    address: str,
    password_stdin: Stdin = False,
    password_hash: Hash = False,
    quota: Annotated[str, typer.Option(help="25MB to 2GB, or what the plan allows; left out: that of the plan.")] = "",
    json: Json = False,
) -> None:
    """Add a mailbox."""
    limit = parse_size(quota) if quota else None
    password = _password(password_stdin, password_hash)
    record = auth(lambda client: client.add_mailbox(address, quota_limit=limit, **password))
    show(record, json, f"{record['address']} is added, with {_size(record['quota_limit'])}")


@app.command("ls")
def ls(domain: str, json: Json = False) -> None:
    """List the mailboxes of a domain."""
    rows = auth(lambda client: client.mailboxes(domain))
    columns = {
        "address": "ADDRESS",
        "state": "STATE",
        "has_password": "PASSWORD",
        "quota_limit": "QUOTA",
        "last_pop3_login": "LAST POP3 LOGIN",
    }
    table(rows, json, columns, f"{domain} has no mailboxes")


@app.command("show")
def show_one(address: str, json: Json = False) -> None:
    """Show a mailbox and its usage."""
    record = auth(lambda client: client.mailbox(address))
    held = mailstore(lambda client: client.show_usage(record["id"]))
    record |= {name: held[name] for name in ("usage", "charged", "messages", "message_limit")}
    show(
        record,
        json,
        f"{record['address']}: {record['state']}, {record['charged']} of {record['quota_limit'] or 'unlimited'} octets used, "
        f"{record['messages']} of {record['message_limit']} messages",
    )


@app.command("rm")
def rm(
    address: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, json: Json = False
) -> None:
    """Remove a mailbox and its mail. Repeating the command completes an interrupted removal."""
    confirm(f"Remove {address} and all its mail?", yes)
    endpoint("MAILSTORE")  # checked before the first step, not between two
    record = auth(lambda client: client.disable_mailbox(address, removal=True))
    removed = mailstore(lambda client: client.purge_mailbox(record["id"]))
    auth(lambda client: gone(client.delete_mailbox(address)))
    show(
        {"address": record["address"], "id": record["id"], "removed": removed},
        json,
        f"{record['address']} is removed, {removed} messages with it",
    )


@app.command("passwd")
def passwd(address: str, password_stdin: Stdin = False, password_hash: Hash = False, json: Json = False) -> None:
    """Set a password; the mailbox's grants end at once, its sessions within seconds."""
    password = _password(password_stdin, password_hash)
    show(auth(lambda client: client.set_password(address, **password)), json, f"the password of {address} is set")


def _password(from_stdin: bool, is_hash: bool) -> dict[str, str]:
    """Read a password or its hash, and return it as the clients' argument."""
    if from_stdin and is_hash:
        fail("--password-stdin and --password-hash exclude each other", 2)
    return {"password_hash" if is_hash else "password": read_password(from_stdin or is_hash)}


@app.command("quota")
def quota(address: str, size: str, json: Json = False) -> None:
    """Set the quota of a mailbox: 25MB to 2GB, or what the plan of its domain's customer allows, as 10GB or none."""
    limit = parse_size(size)
    show(
        auth(lambda client: client.set_quota(address, limit)),
        json,
        f"{address} has {_size(limit)}",
    )


def _size(quota: int) -> str:
    return f"a quota of {quota // 1024 // 1024} MB" if quota else "no quota"


@app.command("rename")
def rename(
    address: str,
    to: Annotated[str, typer.Argument(help="The new address, in this domain or another one of the same customer.")],
    keep_old: Annotated[
        bool, typer.Option("--keep-old/--no-keep-old", help="Let mail to the old address come to the new one.")
    ] = True,
    json: Json = False,
) -> None:
    """Give a mailbox another address; mail, passwords, sessions, grants, forwards and what is queued stay with it.

    Forwards and catch-alls that name the old address name the new one. The owner logs in with the new address.
    """
    record = auth(lambda client: client.rename_mailbox(address, to, keep_old=keep_old))
    kept = ", and the old address forwards to it" if keep_old else ""
    show(record, json, f"{address} is {record['address']} now{kept}")


@app.command("disable")
def disable(
    address: str,
    hold_queue: Annotated[
        bool,
        typer.Option("--hold-queue/--no-hold-queue", help="Let what it has in the queue wait until it is enabled."),
    ] = True,
    json: Json = False,
) -> None:
    """Forbid logins and relaying, and hold what the mailbox sent and is still queued; mail to it is still accepted."""
    if hold_queue:
        endpoint("QUEUE")  # checked before the first step, not between two
    record = auth(lambda client: client.disable_mailbox(address))
    if hold_queue:
        queue(lambda client: client.pause("disabled", record["id"], reason="the mailbox is disabled", actor=actor()))
    show(record, json, f"{address} is disabled" + ", and its mail in the queue is held" * hold_queue)


@app.command("enable")
def enable(address: str, json: Json = False) -> None:
    """Enable a mailbox again after `disable`; its mail in the queue is tried within seconds."""
    endpoint("QUEUE")
    record = auth(lambda client: client.enable_mailbox(address))
    queue(lambda client: gone(client.resume("disabled", record["id"], actor=actor())))
    show(record, json, f"{address} is enabled")
