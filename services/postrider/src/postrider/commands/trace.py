"""`postrider trace`: who sent a message, how it came, and what happened to it, also long after it was delivered."""

import re
import sys
from typing import Annotated, Any

import typer

from postrider.commands import common, queue
from postrider.commands.common import Json, fail, printable, show

#: Most of a pasted text that is read (characters), and most queue ids that are looked for in it.
MOST_PASTED = 1_000_000
MOST_IDS = 20
#: A queue id: UUID version 7 in hexadecimal digits, as Received, the 250 and bounces have it.
_ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}(?![0-9A-Za-z])")
_RIGHTS = {"auth": "SMTP AUTH", "grant": "OPEN-SMTP"}


def trace(
    queue_id: Annotated[str, typer.Argument(help="A message, as `queue ls`, Received or the log name it.")] = "",
    who: Annotated[
        str,
        typer.Option(
            help="Only who sent it: an id, a pasted Received field or bounce; - reads it from standard input."
        ),
    ] = "",
    message_id: Annotated[str, typer.Option(help="Only with this Message-ID.")] = "",
    address: Annotated[str, typer.Option(help="Only from or to this address.")] = "",
    account: Annotated[str, typer.Option(help="Only sent by this mailbox: its address, or its id.")] = "",
    client: Annotated[str, typer.Option(help="Only from this client's IP address.")] = "",
    host: Annotated[str, typer.Option(help="Only sent to this remote host.")] = "",
    since: Annotated[str, typer.Option(help="Only accepted within this time: 90s, 30m, 4h, 2d.")] = "",
    until: Annotated[str, typer.Option(help="Only accepted longer ago than this.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Messages shown.")] = 100,
    json: Json = False,
) -> None:
    """Show who sent messages, how they came and what happened to them, the latest first; for a week after they are finished."""
    filters = {
        "message_id": message_id.strip("<>"),
        "address": address,
        "account": account and queue.account_id(account),
        "client": client,
        "host": host,
        "newer": since and queue.seconds(since),
        "older": until and queue.seconds(until),
    }
    wanted = {name: value for name, value in filters.items() if value != ""}
    ids = _ids(who) if who else [queue.known(queue_id)] if queue_id else []
    if bool(ids) + bool(wanted) != 1:
        fail("name a message, or give --who or a filter; `--help` shows how", 2)
    found = common.queue(lambda queue_client: _read(queue_client, ids, wanted, limit))
    if ids and not found:
        fail("no such message was accepted within the time that the history is kept")
    if json:
        show(found, True)
        return
    for record in found:
        print("\n".join(printable(line) for line in ([_who(record)] if who else _story(record))))
    if not found:
        print("nothing was found")


async def _read(client: Any, ids: list[str], wanted: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async for page in client.trace(id=ids, limit=min(limit, 500), **wanted):
        found += page
        if len(found) >= limit:
            break
    return found[:limit]


def _ids(text: str) -> list[str]:
    """Return the queue ids in `text`, or in standard input if it is "-"."""
    pasted = sys.stdin.read(MOST_PASTED) if text == "-" else text.replace("-", "") if len(text) == 36 else text
    ids = list(dict.fromkeys(_ID.findall(pasted.lower())))
    if not ids:
        fail("there is no queue id in this text: 32 hexadecimal digits behind `id` in Received, or behind `queued as`")
    return ids[:MOST_IDS]


def _who(record: dict[str, Any]) -> str:
    """Return one line that says who sent a message."""
    if record["bounce_of"]:
        return f"{record['id']}: our own report that {record['bounce_of']} was not delivered"
    right = _RIGHTS.get(record["by"] or "")
    who = f"{record['account_address']} by {right}" if right else "a client without login or grant"
    if record["granted_at"]:
        who += f" (login at {record['granted_at']})"
    return (
        f"{record['id']}: {who}, from {record['client_address']}, as <{record['sender'] or ''}>, at {record['at']}"
        f" ({record['listener']}, {record['tls'] or 'no TLS'}, {record['helo']})"
    )


def _story(record: dict[str, Any]) -> list[str]:
    lines = [_who(record)]
    if record["message_id"]:
        lines.append(f"    Message-ID <{record['message_id']}>, {record['size']} octets")
    for event in record["events"][1:]:
        at = f"next try {event['at']}" if event["event"] == "waiting" else event["at"] or ""
        parts = [
            str(at),
            event["event"],
            f"recipient {event['n']}" + (f" <{event['recipient']}>" if event["recipient"] else ""),
            f"at {event['remote_host']}" if event["remote_host"] else "",
            " ".join((event["reply"] or "").split()),
        ]
        lines.append("    " + "  ".join(part for part in parts if part))
    return lines
