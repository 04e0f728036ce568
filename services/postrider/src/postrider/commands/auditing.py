"""The command `audit`: who changed what through auth's API."""

import datetime
from typing import Annotated, Any

import typer

from postrider.commands.common import Json, auth, table
from postrider.commands.tokens import seconds


def audit(
    actor: Annotated[str, typer.Option(help="By this token: its name, or admin.")] = "",
    of: Annotated[str, typer.Option("--object", help="Of this address, domain, customer, plan or token.")] = "",
    since: Annotated[str, typer.Option(help="Within this time: 30m, 12h, 90d.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this number of changes.")] = 100,
    json: Json = False,
) -> None:
    """Show who changed what, from where and when, the latest first; what was and what is with --json."""
    wanted: dict[str, Any] = {"actor": actor, "object": of, "limit": min(limit, 500)}
    if since:
        start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds(since))
        wanted["since"] = start.isoformat()
    wanted = {name: value for name, value in wanted.items() if value}

    async def read(client: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async for page in client.audit(**wanted):
            found += page
            if len(found) >= limit:
                break
        return found[:limit]

    columns = {"at": "AT", "actor": "BY", "source": "FROM", "action": "ACTION", "kind": "WHAT", "object": "OBJECT"}
    table(auth(read), json, columns, "nothing was changed")
