"""`postrider domain move`: a domain moves in from an old host, with both systems live (docs/operate/moving-in.md)."""

import socket
import time
from typing import Annotated, Any

import typer

from postrider.commands import progress
from postrider.commands.common import Json, Record, auth, fail, gone, queue, show, table

app = typer.Typer(
    help="A domain moves in: its old host keeps mail and logins until the switch, and what is unknown here after it.",
    no_args_is_help=True,
)

#: Seconds within which every worker knows a new route, and every replica of auth a change of a move (docs/contract.md).
IN_FORCE_SECONDS = 5.0

_TLS = ("starttls", "implicit", "opportunistic")


def _server(text: str, port: int) -> Record | None:
    """Return host and port of `HOST[:PORT]`; None for nothing. Ends the command otherwise."""
    if not text:
        return None
    host, _, given = text.rpartition(":") if ":" in text else (text, "", "")
    if given and not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
        fail(f"{text!r} is not HOST or HOST:PORT", 2)
    return {"host": host, "port": int(given or port)}


def _addresses(*servers: Record | None) -> list[str]:
    """Return the addresses of the servers' names, from which the old host sends mail. Ends the command if one has none."""
    found: set[str] = set()
    for server in servers:
        if server is not None:
            try:
                found |= {str(each[4][0]) for each in socket.getaddrinfo(server["host"], None)}
            except OSError:
                fail(f"{server['host']} has no address; name the old host as it can be reached from here")
    return sorted(found)


@app.command("start")
def start(
    domain: str,
    smtp: Annotated[str, typer.Option(help="HOST[:PORT] that takes the domain's mail; port 25 if left out.")],
    imap: Annotated[
        str, typer.Option(help="HOST[:PORT] of its IMAP server with TLS from the first octet; port 993.")
    ] = "",
    pop3: Annotated[
        str, typer.Option(help="HOST[:PORT] of its POP3 server with TLS from the first octet; port 995.")
    ] = "",
    smtp_tls: Annotated[
        str,
        typer.Option(help="starttls or implicit, both verified, or opportunistic, for a host without a certificate."),
    ] = "starttls",
    sends_from: Annotated[
        list[str] | None,
        typer.Option(
            "--from", help="Address or network from which the old host sends mail, if not its names' addresses."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Let the old host have the domain's mail and logins, whichever of the two they come to.

    The old host has to take the domain's mail from here for good: list this service's addresses there as a relay. Repeating it
    replaces the old host's names.
    """
    if smtp_tls not in _TLS:
        fail(f"--smtp-tls is {', '.join(_TLS)}", 2)
    servers = _server(imap, 993), _server(pop3, 995)
    mail = _server(smtp, 25)
    assert mail is not None
    if servers == (None, None):
        fail("name the old host's --imap or --pop3 server: one of them checks the passwords", 2)
    networks = list(sends_from or _addresses(mail, *servers))
    auth(lambda client: client.domain(domain))  # a mistyped name gets no route
    queue(
        lambda client: client.set_route(
            "destination", domain, **mail, tls=smtp_tls, actor=progress.actor(), reason="the domain moves in"
        )
    )
    time.sleep(IN_FORCE_SECONDS)  # mail for the old host must not be tried before every worker knows the route
    made = auth(lambda client: client.start_move(domain, imap=servers[0], pop3=servers[1], networks=networks))
    show(made, json, f"{made['domain']}: mail goes to {mail['host']}, and logins are checked and served there")


@app.command("switch")
def switch(domain: str, json: Json = False) -> None:
    """Let mail and logins of the domain be here from now on; what is unknown here still goes to the old host.

    Ends the domain's open sessions. Repeating it takes in mailboxes that logins have made since.
    """
    made = auth(lambda client: client.switch_move(domain))
    time.sleep(IN_FORCE_SECONDS)
    left = _waiting(domain)
    rest = (
        f"; {left} recipients in the queue still go to the old host, `domain move status` shows when they have left"
        if left
        else ""
    )
    show(
        made | {"in_queue": left},
        json,
        f"{made['domain']}: mail and logins are here{rest}. Now import once more what has arrived at the old host",
    )


@app.command("back")
def back(domain: str, json: Json = False) -> None:
    """Let mail and logins of the domain be at the old host again.

    Ends the domain's open sessions. Mail that has arrived here stays here and is seen after the next switch.
    """
    made = auth(lambda client: client.back_move(domain))
    time.sleep(IN_FORCE_SECONDS)
    show(made, json, f"{made['domain']}: mail and logins are at the old host again")


@app.command("end")
def end(domain: str, json: Json = False) -> None:
    """Forget the old host after the switch: what is unknown here is refused. Repeating it completes an end."""
    auth(lambda client: gone(client.end_move(domain)))
    time.sleep(IN_FORCE_SECONDS)
    left = _waiting(domain)
    if left:
        fail(
            f"{left} recipients of {domain} are in the queue: its route to the old host stays; repeat this when they have left"
        )
    queue(
        lambda client: gone(
            client.delete_route("destination", domain, actor=progress.actor(), reason="the domain has moved in")
        )
    )
    show({"domain": domain}, json, f"{domain} has moved in")


@app.command("status")
def status(
    domain: Annotated[str, typer.Argument(help="All moving domains if left out.")] = "", json: Json = False
) -> None:
    """Show who has a domain's mail and logins, and what of it is in the queue."""
    if not domain:
        rows = auth(lambda client: client.moves())
        table(
            [row | {"imap": _shown(row["imap"]), "pop3": _shown(row["pop3"])} for row in rows] if not json else rows,
            json,
            {"domain": "DOMAIN", "phase": "AT", "imap": "IMAP", "pop3": "POP3", "changed_at": "SINCE"},
            "no domain moves",
        )
        return
    found = auth(lambda client: client.move(domain))
    left = _waiting(domain)
    where = "at the old host" if found["phase"] == "old" else "here"
    lines = [
        f"{found['domain']}: mail and logins are {where} since {found['changed_at']}",
        f"old host: IMAP {_shown(found['imap'])}, POP3 {_shown(found['pop3'])}; its mail comes from {', '.join(found['networks'])}",
        f"mailboxes here: {found['mailboxes']}; of these made by a login at the old host: {found['made_by_login']}",
        f"recipients in the queue: {left}",
    ]
    show(found | {"in_queue": left}, json)
    for line in () if json else lines:
        show(None, False, line)


def _shown(server: Record | None) -> str:
    return f"{server['host']}:{server['port']}" if server else "-"


def _waiting(domain: str) -> int:
    """Return how many recipients of the domain are in the queue."""

    async def count(client: Any) -> int:
        return sum([group["recipients"] async for part in client.top("domain", domain=domain) for group in part])

    return int(queue(count))
