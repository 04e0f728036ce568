"""Commands for domains: add, list and remove them, and set their catch-all."""

from typing import Annotated

import typer

from postrider.commands import moves, zones
from postrider.commands.common import (
    Json,
    Record,
    auth,
    confirm,
    endpoint,
    fail,
    gone,
    mailstore,
    printable,
    queue,
    show,
    table,
)

app = typer.Typer(help="Domains we receive mail for.", no_args_is_help=True)
dkim = typer.Typer(help="Keys with which a domain's mail is signed, and their DNS records.", no_args_is_help=True)
app.add_typer(dkim, name="dkim")
app.add_typer(moves.app, name="move")
catchall = typer.Typer(help="Where mail for unknown names of a domain goes (L1).", no_args_is_help=True)


@app.command("add")
def add(
    name: str,
    alias_of: Annotated[str, typer.Option(help="Make it an alias: name@ here is name@ in this domain.")] = "",
    customer: Annotated[str, typer.Option(help="The customer to whom it belongs; else the operator.")] = "",
    json: Json = False,
) -> None:
    """Add a domain; postmaster@ comes with it, without a usable password. An alias has no mailboxes of its own."""
    record = auth(lambda client: client.add_domain(name, alias_of or None, customer=customer or None))
    if alias_of:
        show(record, json, f"{record['name']} is added: its addresses are those of {record['alias_of']}")
        return
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
        {"name": "DOMAIN", "state": "STATE", "customer": "CUSTOMER", "mailboxes": "MAILBOXES", "created_at": "CREATED"},
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


@app.command("dns")
def dns(
    domain: str,
    zone: Annotated[bool, typer.Option("--zone", help="Print only the lines to publish, as in a zone file.")] = False,
    json: Json = False,
) -> None:
    """Look at a domain's DNS records now: which should exist, which do, and what is wrong.

    The exit status is 0 if nothing is wrong, 1 if something is, and 3 if the DNS could not be asked.
    """
    sending = zones.helo_names(domain, queue(lambda client: client.list_routes()))
    zones.show_report(auth(lambda client: client.domain_dns(domain, sending)), json, zone=zone)


@app.command("identity")
def identity(
    domain: str,
    level: Annotated[str, typer.Argument(help="off, log, enforce or default")],
    by: Annotated[str, typer.Option(help="What a mailbox may use: all of its `domain`, or its own `mailbox`.")] = "",
    json: Json = False,
) -> None:
    """Set what is done with mail whose MAIL FROM or From is not the client's own."""
    if level not in ("off", "log", "enforce", "default"):
        fail("the level is off, log, enforce or default")
    if by not in ("", "domain", "mailbox"):
        fail("--by is domain or mailbox")
    record = auth(lambda client: client.set_identity(domain, None if level == "default" else level, by or None))
    found = record["identity"]
    show(record, json, f"sender addresses of {record['name']}: {found['level']}, by {found['by']}")


@app.command("customer")
def customer(
    domain: str,
    name: Annotated[str, typer.Argument(help="The customer; left out: the operator's own.")] = "",
    json: Json = False,
) -> None:
    """Give a domain to a customer, whose plan holds for it within 5 seconds, or back to the operator."""
    record = auth(lambda client: client.set_domain_customer(domain, name or None))
    show(record, json, f"{record['name']} belongs to {record['customer'] or 'the operator'}")


@app.command("tags")
def tags(domain: str, state: Annotated[str, typer.Argument(help="on or off")], json: Json = False) -> None:
    """Deliver mail for name+tag to name, unless name+tag is a mailbox or a forward itself."""
    if state not in ("on", "off"):
        fail("say on or off")
    record = auth(lambda client: client.set_tags(domain, state == "on"))
    show(record, json, f"tags in addresses of {record['name']}: {'on' if record['tags'] else 'off'}")


@dkim.command("show")
def show_keys(domain: str, json: Json = False) -> None:
    """Show a domain's keys and the TXT records to publish."""
    _keys(auth(lambda client: client.dkim_keys(domain)), json)


@dkim.command("make")
def make_keys(domain: str, json: Json = False) -> None:
    """Make the keys of a domain that has none, and show them. Repeating it changes nothing."""
    _keys(auth(lambda client: client.make_dkim_keys(domain)), json)


@dkim.command("check")
def check_keys(domain: str, json: Json = False) -> None:
    """Look for the records of new keys now; mail is signed with those that are published."""
    _keys(auth(lambda client: client.check_dkim_keys(domain)), json)


@dkim.command("rotate")
def rotate_keys(domain: str, json: Json = False) -> None:
    """Make successors of the keys in use; each is used once its record is published."""
    _keys(auth(lambda client: client.rotate_dkim_keys(domain)), json)


@dkim.command("rm")
def remove_keys(
    domain: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, json: Json = False
) -> None:
    """Remove all keys of a domain: its mail is not signed from now on."""
    confirm(f"Remove the keys of {domain}?", yes)
    auth(lambda client: client.remove_dkim_keys(domain))
    show({"name": domain}, json, f"{domain} has no keys")


def _keys(rows: list[Record], as_json: bool) -> None:
    """Print keys, each with its record on one line, as in a zone file."""
    if as_json:
        show(rows, True)
    elif not rows:
        print("the domain has no keys: `postrider domain dkim make DOMAIN` makes them")
    else:
        for row in rows:
            print(f"; {row['algorithm']}, {row['state']} since {row['since']}")
            print(printable(f"{row['record_name']}. IN TXT {row['zone_text']}"))


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
