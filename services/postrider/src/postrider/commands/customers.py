"""Commands for customers, to whom domains belong."""

from typing import Annotated

import typer

from postrider.commands.common import Json, auth, show, table

app = typer.Typer(help="Customers: to whom domains belong, with a plan of limits or without.", no_args_is_help=True)

Plan = Annotated[str, typer.Option(help="The plan: see `postrider plan ls`.")]


@app.command("add")
def add(name: str, plan: Plan = "", json: Json = False) -> None:
    """Add a customer. `postrider domain add NAME --customer` gives them a domain."""
    record = auth(lambda client: client.add_customer(name, plan or None))
    show(record, json, f"{record['name']} is added, with {_plan(record['plan'])}")


@app.command("ls")
def ls(json: Json = False) -> None:
    """List all customers."""
    rows = auth(lambda client: client.customers())
    columns = {"name": "CUSTOMER", "plan": "PLAN", "domains": "DOMAINS", "created_at": "CREATED"}
    table(rows, json, columns, "there are no customers yet: `postrider customer add NAME`")


@app.command("show")
def show_one(name: str, json: Json = False) -> None:
    """Show a customer and their domains."""
    record = auth(lambda client: client.customer(name))
    rows = auth(lambda client: client.customer_domains(name))
    if json:
        show(record | {"domain_names": [row["name"] for row in rows]}, True)
        return
    show(record, False, f"{record['name']}: {_plan(record['plan'])}, {record['domains']} domains")
    if rows:
        table(rows, False, {"name": "DOMAIN", "state": "STATE", "mailboxes": "MAILBOXES"}, "")


@app.command("set")
def set_plan(
    name: str,
    plan: Annotated[str, typer.Option(help="The plan, or `none`.")],
    json: Json = False,
) -> None:
    """Give a customer another plan, in force within 5 seconds. What their domains have already stays."""
    record = auth(lambda client: client.set_customer(name, None if plan == "none" else plan))
    show(record, json, f"{record['name']} has {_plan(record['plan'])}")


@app.command("remove")
def remove(name: str, json: Json = False) -> None:
    """Remove a customer who has no domains."""
    auth(lambda client: client.delete_customer(name))
    show({"name": name}, json, f"{name} is removed")


def _plan(name: str | None) -> str:
    return f"plan {name}" if name else "no plan"
