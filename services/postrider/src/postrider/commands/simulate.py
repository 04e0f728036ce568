"""`postrider simulate`: what a client would be answered, why, and where its message would go; nothing happens."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from postrider.commands import common, queue
from postrider.commands.common import Json, fail, printable, show

#: Most of a header that is read (octets); smtp-gateway takes no more.
MOST_HEADER = 65536
#: Attempts of a plan that are shown.
SHOWN = 12
_FIELD = re.compile(r"[!-9;-~]+:[ \t]")


def simulate(
    client: Annotated[str, typer.Option(help="The client's IP address.")],
    sender: Annotated[str, typer.Option("--from", help="The envelope sender; an empty one is that of a bounce.")],
    rcpt: Annotated[list[str], typer.Option(help="A recipient; may be repeated.")],
    listener: Annotated[str, typer.Option(help="smtp (25), submission (587) or smtps (465).")] = "smtp",
    direct: Annotated[bool, typer.Option("--direct", help="By the port beside the proxied one: no OPEN-SMTP.")] = False,
    tls: Annotated[bool, typer.Option(help="The client uses STARTTLS where it is offered.")] = True,
    helo: Annotated[str, typer.Option(help="The client's name in EHLO.")] = "client.example",
    auth: Annotated[str, typer.Option(help="Logged in as this mailbox (address or id).")] = "",
    grant: Annotated[
        str,
        typer.Option(help="With an OPEN-SMTP grant of this mailbox; by default the grants count that the client has."),
    ] = "",
    size: Annotated[int | None, typer.Option(min=0, help="Octets, declared with SIZE.")] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(help="A field, as 'From: ann@site.example', or a file with a header; - is standard input."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what a client would be answered, by which rules, where its message would go and when it would be tried.

    smtp-gateway and queue-worker decide by the code of live mail, with what is true now. Nothing is counted, handed over, sent or
    kept. Status 0: the message would be accepted; 1: it would be refused for every recipient.

    Why is bob refused?  postrider simulate --client 192.0.2.7 --from bob@site.example --rcpt ann@far.example
    """
    case = {
        "client": client,
        "listener": listener,
        "direct": direct,
        "tls": tls,
        "helo": helo,
        "auth": queue.account_id(auth) if auth else None,
        "grant": queue.account_id(grant) if grant else None,
        "mail_from": sender.removeprefix("<").removesuffix(">"),
        "recipients": [each.removeprefix("<").removesuffix(">") for each in rcpt],
        "size": size,
        "header": "\n".join(_header(each) for each in header or ()),
    }
    found = common.gateway(lambda gateway: gateway.simulate(case))
    targets = [
        {"address": each["address"], "mailbox": each["mailbox"], "via": each.get("via") or ""}
        for each in found["destinations"]
    ]
    found["routes"] = (
        common.queue(
            lambda to: to.simulate_routes(found["account"], targets, client=client, sender=str(case["mail_from"]))
        )
        if targets
        else []
    )
    if json:
        show(found, True)
    else:
        print("\n".join(printable(line) for line in _lines(found)))
    raise typer.Exit(0 if found["accepted"] else 1)


def _header(given: str) -> str:
    if _FIELD.match(given):
        return given
    path = given
    try:
        raw = sys.stdin.buffer.read(MOST_HEADER + 1) if path == "-" else Path(path).read_bytes()[: MOST_HEADER + 1]
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    if len(raw) > MOST_HEADER:
        fail(f"the header is larger than {MOST_HEADER} octets; leave out what follows the first empty line")
    return raw.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]


def _lines(found: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for step in found["steps"]:
        lines.append(f"> {step['command']}")
        for rule in step["rules"]:
            data = "  ".join(f"{name}={_short(value)}" for name, value in rule["data"].items())
            lines.append(f"    {'refused by' if rule['refused'] else 'passed'} {rule['rule']}  {data}")
        lines += [f"< {line}" for line in step["reply"].split("\n")]
    for each in found["destinations"]:
        if sender := each.get("sender"):
            lines.append(f"{each['address']}: forwarded by <{each['via']}> as <{sender}>")
    for route in found["routes"]:
        lines += _route(route)
    return lines


def _route(route: dict[str, Any]) -> list[str]:
    to = f"hosts of {route['destination']}, port {route['port']}" if route["kind"] == "remote" else "mailboxes here"
    lines = [f"{', '.join(route['recipients'])}: {to}"]
    several = len({host["tls"] for host in route["hosts"]}) > 1
    lines += [
        f"    {host['host']} [{host['address']}]{'  TLS ' + host['tls'] if several else ''}" for host in route["hosts"]
    ]
    if route["tls"] and not several:
        lines.append(f"    TLS {route['tls']}")
    if route["route"]:
        lines.append(f"    by the route {route['route']}")
    for source in route["sources"]:
        source_words = [*source["addresses"], f"as {source['helo']}" if source["helo"] else ""]
        if any(source_words):
            several_sources = "one of the pool: " if len(route["sources"]) > 1 else ""
            lines.append(f"    leaves from {several_sources}{' '.join(filter(None, source_words))}")
    if route["shaping"]:
        lines.append(f"    {_shaped(route['shaping'])}")
    if route["outcome"]:
        lines.append(f"    {route['outcome']} {route['status']} {route['reply']}")
    lines += [f"    waits: {pause['kind']} {pause['value']} is paused ({pause['reason']})" for pause in route["pauses"]]
    lines += [f"    {address}: returned at once, it bounced before" for address in route["suppressed"]]
    more = " ..." if len(route["attempts"]) > SHOWN else ""
    lines.append(f"    tried at {', '.join(route['attempts'][:SHOWN])}{more}; returned at {route['expires']}")
    return lines


def _shaped(shaping: dict[str, Any]) -> str:
    """Return the limits of the operator of the hosts, and why it gets nothing now."""
    rate = f", {shaping['per_minute']} recipients a minute" if shaping["per_minute"] else ""
    line = f"shaped as mail for {shaping['name']}: {shaping['conversations']} of {shaping['conversations_max']} conversations{rate}"
    return (
        f"{line}; nothing before {shaping['paused_until']}, after {shaping['reply']}"
        if shaping["paused_until"]
        else line
    )


def _short(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "-" if value is None else str(value)
