"""Commands for tokens of the operators' API: make, list, rotate and revoke them."""

import datetime
import re
from typing import Annotated

import typer

from postrider.commands.common import Json, auth, fail, show, table

app = typer.Typer(help="Tokens: who may use this command line, for what, and until when.", no_args_is_help=True)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ROLES = ("operator", "customer", "domain", "read-only")


def seconds(text: str) -> int:
    """Parse `90s`, `15m`, `12h` or `30d`. Ends the command otherwise."""
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip())
    if found is None:
        fail(f"{text!r} is not a time; write for example 15m, 12h or 30d", 2)
    return int(found[1]) * _UNITS[found[2]]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What it is for, as `token ls` and `audit` show it.")],
    role: Annotated[str, typer.Option("--role", help="operator, customer, domain or read-only.")],
    customer: Annotated[str, typer.Option(help="Only this customer's domains (role customer, read-only).")] = "",
    domain: Annotated[str, typer.Option(help="Only this domain (role domain, read-only).")] = "",
    expires: Annotated[str, typer.Option(help="Ends after this time: 12h, 90d. Without it, when revoked.")] = "",
    json: Json = False,
) -> None:
    """Make a token and show it, this once: store it where it is used, as POSTRIDER_TOKEN.

    operator: everything. customer: the domains of a customer, and tokens for them. domain: one domain's mailboxes, forwards
    and keys. read-only: looks at what another role would see, and changes nothing.
    """
    if role not in _ROLES:
        fail(f"there is no role {role!r}; it is one of {', '.join(_ROLES)}", 2)
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds(expires)) if expires else None
    record = auth(
        lambda client: client.add_token(name, role, customer=customer or None, domain=domain or None, expires_at=end)
    )
    show(record, json, record["token"])


@app.command("ls")
def ls(domain: Annotated[str, typer.Argument(help="Of this domain only.")] = "", json: Json = False) -> None:
    """List tokens, without their texts."""
    rows = auth(lambda client: client.tokens(domain or None))
    columns = {
        "id": "ID",
        "name": "NAME",
        "role": "ROLE",
        "customer": "CUSTOMER",
        "domain": "DOMAIN",
        "made_by": "MADE BY",
        "expires_at": "EXPIRES",
    }
    table(rows, json, columns, "there are no tokens but the one in POSTRIDER_ADMIN_TOKEN")


@app.command("show")
def show_own(json: Json = False) -> None:
    """Say what the token in use may do."""
    record = auth(lambda client: client.caller())
    of = record["domain"] or record["customer_id"] or "everything"
    until = f", until {record['expires_at']}" if record["expires_at"] else ""
    show(record, json, f"{record['name']}: {record['role']}, for {of}{until}")


@app.command("rotate")
def rotate(
    token_id: Annotated[str, typer.Argument(help="Its id; without it, the token in use.")] = "",
    keep: Annotated[str, typer.Option(help="How long the old text is accepted too, at most 30d.")] = "1d",
    json: Json = False,
) -> None:
    """Give a token another text and show it, this once. What it may do stays."""
    kept = seconds(keep)
    chosen = token_id or auth(lambda client: client.caller())["token_id"]
    if chosen is None:
        fail("POSTRIDER_ADMIN_TOKEN is a setting; docs/operate/secrets.md says how to replace it")
    record = auth(lambda client: client.rotate_token(chosen, kept))
    show(record, json, record["token"])


@app.command("revoke")
def revoke(token_id: str, json: Json = False) -> None:
    """Revoke a token: it is refused from the next request on."""
    auth(lambda client: client.revoke_token(token_id))
    show({"id": token_id}, json, f"token {token_id} is revoked")
