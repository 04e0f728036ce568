"""`postrider suppression`: addresses to which mail is no longer tried, because they bounced hard."""

from typing import Annotated, Any

import typer

from postrider.commands import common, queue
from postrider.commands.common import Json, show, table

app = typer.Typer(
    help="Addresses to which mail is no longer tried, because they bounced hard (POSTRIDER_SUPPRESS_AFTER).",
    no_args_is_help=True,
)

_COLUMNS = {"address": "ADDRESS", "account": "ACCOUNT", "bounces": "BOUNCES", "expires": "UNTIL", "reply": "LAST REPLY"}


@app.command("ls")
def ls(
    address: Annotated[str, typer.Option(help="Only this address.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Entries shown.")] = 1000,
    json: Json = False,
) -> None:
    """List suppressed addresses, each with the account whose mail it is, and what the other host said last."""
    rows = common.queue(lambda client: _read(client, address or None, limit))
    table(rows, json, _COLUMNS, "no address is suppressed")


@app.command("rm")
def rm(
    address: Annotated[str, typer.Argument(help="The address.")],
    account: Annotated[str, typer.Option(help="Only for this mailbox's mail: its address or id.")] = "",
    json: Json = False,
) -> None:
    """Let mail to an address be tried again; its bounces are forgotten."""
    flow = queue.account_id(account) if account else None
    removed = common.queue(lambda client: client.delete_suppression(address, account=flow))
    show({"address": address, "removed": removed}, json, f"mail to {address} is tried again")


async def _read(client: Any, address: str | None, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async for page in client.list_suppressions(address=address):
        found += page
        if len(found) >= limit:
            break
    return found[:limit]
