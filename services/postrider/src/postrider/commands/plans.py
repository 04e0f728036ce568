"""Commands for plans: what the domains of customers may have."""

from typing import Annotated, Any

import typer

from postrider.commands.common import Json, Record, auth, fail, printable, show, table

app = typer.Typer(help="Plans: what the domains of customers may have.", no_args_is_help=True)

Fields = Annotated[
    list[str] | None,
    typer.Argument(
        help="FIELD=VALUE, for example mailboxes=50 quota=2GB pop3=off recipients_per_day=none; "
        "`postrider plan fields` lists them."
    ),
]
_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_WORDS: dict[str, Any] = {"none": None, "on": True, "off": False}

#: The fields as `postrider plan fields` shows them; `services/auth/src/auth/admin/limits.py` has them in this order.
FIELDS = {
    "mailboxes": "mailboxes of a domain",
    "forwards": "forwards of a domain, those with a target elsewhere",
    "groups": "aliases and groups of a domain: all targets are its own",
    "autoresponders": "autoresponders of a domain",
    "lists": "mailing lists of a domain (kept; there are none here)",
    "domain_quota": "octets that the quotas of a domain's mailboxes may be together",
    "domain_messages": "messages that those of its mailboxes may be together",
    "quota": "octets of a mailbox for which none is given; 0: no quota",
    "quota_most": "octets, the largest quota that may be set; 0: no quota may be set, too",
    "messages": "messages that a mailbox may hold",
    "messages_per_minute": "messages that a mailbox may relay in any minute",
    "messages_per_hour": "in any hour",
    "messages_per_day": "in any day",
    "recipients_per_minute": "recipients elsewhere that a mailbox may send to in any minute",
    "recipients_per_hour": "in any hour",
    "recipients_per_day": "in any day",
    "pop3": "on or off: logins by POP3",
    "imap": "on or off: logins by IMAP",
    "smtp_auth": "on or off: logins by SMTP",
    "open_smtp": "on or off: a login gives a grant (S2)",
    "relay": "on or off: mail to addresses elsewhere is taken",
    "password_change": "on or off: by others than the operator",
    "webmail": "on or off (kept; there is no webmail here)",
    "dialup": "on or off (kept; there is no dial-up here)",
    "maildrop": "on or off (kept; no programs are run)",
    "spam_filter": "on or off (kept)",
    "delete_spam": "on or off (kept)",
    "login_delay": "seconds between checks by POP3 (P4)",
    "expire": "days that POP3's CAPA says mail is kept; none: NEVER",
    "trash_days": "days that mail stays in Trash",
    "junk_days": "days that mail stays in Junk",
}


@app.command("add")
def add(name: str, fields: Fields = None, json: Json = False) -> None:
    """Add a plan; what is not given is not limited."""
    limits = _limits(fields or [])
    record = auth(lambda client: client.add_plan(name, limits))
    show(
        record,
        json,
        f"plan {record['name']} is added; `postrider customer set CUSTOMER --plan {record['name']}` uses it",
    )


@app.command("ls")
def ls(json: Json = False) -> None:
    """List all plans."""
    rows = auth(lambda client: client.plans())
    shown = rows if json else [row | {"said": ", ".join(_said(row["limits"]))} for row in rows]
    columns = {"name": "PLAN", "customers": "CUSTOMERS", "said": "LIMITS"}
    table(shown, json, columns, "there are no plans yet: `postrider plan add NAME mailboxes=50`")


@app.command("show")
def show_one(name: str, json: Json = False) -> None:
    """Show a plan."""
    record = auth(lambda client: client.plan(name))
    show(record, json, f"plan {record['name']}, of {record['customers']} customers")
    for line in [] if json else _said(record["limits"]) or ["nothing is limited"]:
        print(printable(f"  {line}"))


@app.command("set")
def set_fields(name: str, fields: Fields = None, json: Json = False) -> None:
    """Change fields of a plan, in force within 5 seconds. What the domains have already stays."""
    limits = _limits(fields or [])
    if not limits:
        fail("say which fields: for example mailboxes=50; `postrider plan fields` lists them", 2)
    record = auth(lambda client: client.set_plan(name, limits))
    show(record, json, f"plan {record['name']}: {', '.join(_said(record['limits'])) or 'nothing is limited'}")


@app.command("remove")
def remove(name: str, json: Json = False) -> None:
    """Remove a plan that no customer has."""
    auth(lambda client: client.delete_plan(name))
    show({"name": name}, json, f"plan {name} is removed")


@app.command("fields")
def fields(json: Json = False) -> None:
    """List the fields of plans."""
    table(
        [{"name": name, "meaning": FIELDS[name]} for name in FIELDS], json, {"name": "FIELD", "meaning": "MEANING"}, ""
    )


def _limits(given: list[str]) -> Record:
    """Return the fields that arguments `FIELD=VALUE` set; ends the command if one is none."""
    found: Record = {}
    for text in given:
        name, is_given, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not is_given or name not in FIELDS:
            fail(f"{text!r} sets no field of a plan; `postrider plan fields` lists them", 2)
        found[name] = _value(text, value.strip())
    return found


def _value(text: str, value: str) -> Any:
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    digits, unit = (value[:-2], _UNITS[value[-2:].upper()]) if value[-2:].upper() in _UNITS else (value, 1)
    if not (digits.isascii() and digits.isdecimal()):
        fail(f"{text!r} has no value: write a number, a size as 2GB, on, off, or none", 2)
    return int(digits[:20]) * unit


def _said(limits: Record) -> list[str]:
    """Return `field=value` of what a plan limits; a switch that is as it would be without a plan is left out."""
    told = []
    for name, value in limits.items():
        if isinstance(value, bool):
            told += [f"{name}={'on' if value else 'off'}"] if value == (name == "delete_spam") else []
        elif value is not None:
            told.append(f"{name}={value}")
    return told
