"""Commands for domains: add, list and remove them, and set their catch-all."""

from typing import Annotated

import typer

from postrider.commands.common import Json, Record, auth, confirm, endpoint, fail, gone, mailstore, show, table

app = typer.Typer(help="Domains we receive mail for.", no_args_is_help=True)
catchall = typer.Typer(help="Where mail for unknown names of a domain goes (L1).", no_args_is_help=True)


@app.command("add")
def add(name: str, json: Json = False) -> None:
    """Add a domain; postmaster@ comes with it, without a usable password."""
    record = auth(lambda client: client.add_domain(name))
    show(
        record,
        json,
        f"{record['name']} is added; set postmaster's password with `postrider mailbox passwd postmaster@{record['name']}`",
    )


@app.command("ls")
def ls(json: Json = False) -> None:
    """List all domains."""
    rows = auth(lambda client: client.domains())
    table(
        rows,
        json,
        {"name": "DOMAIN", "state": "STATE", "mailboxes": "MAILBOXES", "created_at": "CREATED"},
        "there are no domains yet: `postrider domain add NAME`",
    )


@app.command("rm")
def rm(name: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, json: Json = False) -> None:
    """Remove a domain whose mailboxes are gone; postmaster's mail is deleted. Repeating it completes a removal."""
    confirm(f"Remove {name} and postmaster's mail?", yes)
    endpoint("MAILSTORE")  # checked before the first step, not between two
    closed = auth(lambda client: client.close_domain(name))
    if closed.get("postmaster_id"):
        mailstore(lambda client: client.purge_mailbox(closed["postmaster_id"]))
    auth(lambda client: gone(client.delete_domain(name)))
    show({"id": closed["id"], "name": closed["name"]}, json, f"{closed['name']} is removed")


@catchall.command("set")
def set_catchall(domain: str, kind: str, target: Annotated[str, typer.Argument()] = "", json: Json = False) -> None:
    """`set DOMAIN mailbox ADDRESS`, `set DOMAIN forward ADDRESS` or `set DOMAIN bounce`."""
    if kind not in ("mailbox", "forward", "bounce"):
        fail("the kind is mailbox, forward or bounce")
    if (kind == "bounce") == bool(target):
        fail(f"{kind} {'takes no' if kind == 'bounce' else 'needs an'} address")
    record = auth(
        lambda client: client.set_catchall(
            domain, kind, mailbox=target if kind == "mailbox" else None, targets=[target] if kind == "forward" else None
        )
    )
    show(record, json, f"unknown names at {domain}: {kind} {target}".rstrip())


@catchall.command("show")
def show_catchall(domain: str, json: Json = False) -> None:
    """Show where mail for unknown names goes."""
    found: Record = auth(lambda client: client.domain(domain))["catchall"]
    where = found.get("mailbox") or ", ".join(found.get("targets") or [])
    show(found, json, f"{found['kind']} {where}".rstrip())
