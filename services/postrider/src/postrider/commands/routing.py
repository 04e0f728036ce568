"""Commands for forwards (L2), the badmailfrom list (S12) and OPEN-SMTP grants (S2)."""

from typing import Annotated

import typer

from postrider.commands.common import Json, auth, show, table

forward = typer.Typer(help="Forwards: an address whose mail goes to others (L2).", no_args_is_help=True)
badmailfrom = typer.Typer(help="Senders that are refused (S12).", no_args_is_help=True)
grant = typer.Typer(help="Addresses that may relay for an hour after a login (S2).", no_args_is_help=True)


@forward.command("add")
def add_forward(
    address: str,
    targets: Annotated[list[str], typer.Argument(help="Where its mail goes.")],
    keep_copy: Annotated[bool, typer.Option("--keep-copy", help="File into the mailbox of that address too.")] = False,
    json: Json = False,
) -> None:
    """Forward an address."""
    record = auth(lambda client: client.add_forward(address, targets, keep_copy=keep_copy))
    show(record, json, f"{record['address']} forwards to {', '.join(record['targets'])}")


@forward.command("set")
def set_forward(
    address: str,
    targets: Annotated[list[str], typer.Argument(help="Where its mail goes from now on.")],
    keep_copy: Annotated[bool, typer.Option("--keep-copy", help="File into the mailbox of that address too.")] = False,
    json: Json = False,
) -> None:
    """Forward an address to these targets only, whatever it forwarded to before; no message meets a moment between."""
    record = auth(lambda client: client.set_forward(address, targets, keep_copy=keep_copy))
    show(record, json, f"{record['address']} forwards to {', '.join(record['targets'])}")


@forward.command("ls")
def ls_forwards(domain: Annotated[str, typer.Argument()] = "", json: Json = False) -> None:
    """List forwards, of one domain or all."""
    rows = auth(lambda client: client.forwards(domain or None))
    table(rows, json, {"address": "ADDRESS", "targets": "TARGETS", "keep_copy": "COPY"}, "nothing is forwarded")


@forward.command("rm")
def rm_forward(address: str, json: Json = False) -> None:
    """Stop forwarding an address."""
    auth(lambda client: client.delete_forward(address))
    show({"address": address}, json, f"{address} is not forwarded any more")


@badmailfrom.command("add")
def add_bad(entry: str, json: Json = False) -> None:
    """Refuse a sender: an address, or @domain."""
    show(auth(lambda client: client.add_badmailfrom(entry)), json, f"mail from {entry} is refused")


@badmailfrom.command("ls")
def ls_bad(json: Json = False) -> None:
    """List refused senders."""
    table(
        auth(lambda client: client.badmailfrom()),
        json,
        {"entry": "SENDER", "created_at": "SINCE"},
        "no sender is refused",
    )


@badmailfrom.command("rm")
def rm_bad(entry: str, json: Json = False) -> None:
    """Accept a sender again."""
    auth(lambda client: client.delete_badmailfrom(entry))
    show({"entry": entry}, json, f"mail from {entry} is accepted again")


@grant.command("ls")
def ls_grants(json: Json = False) -> None:
    """List the current grants."""
    columns = {"address": "CLIENT", "mailbox": "MAILBOX", "granted_at": "SINCE", "expires_at": "UNTIL"}
    table(auth(lambda client: client.grants()), json, columns, "no address may relay without SMTP AUTH right now")


@grant.command("revoke")
def revoke(
    address: Annotated[str, typer.Argument(help="The client's IP address.")] = "",
    mailbox: Annotated[str, typer.Option(help="Only this mailbox's grant.")] = "",
    json: Json = False,
) -> None:
    """End the grants of a client address, of a mailbox, or the one of both."""
    rows = auth(lambda client: client.revoke_grants(address=address or None, mailbox=mailbox or None))
    show(rows, json, f"grants ended: {len(rows)}")
