"""`postrider trace`: who sent a message, how it came, what was refused, and what happened since, from the services that know it."""

import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from postrider.commands import common, queue, trace_lines
from postrider.commands.common import Json, Record, fail, printable, show

#: Most of a pasted text that is read (characters), and most queue ids that are looked for in it.
MOST_PASTED = 1_000_000
MOST_IDS = 20
#: A queue id: UUID version 7 in hexadecimal digits, as Received, the 250 and bounces have it.
_ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}(?![0-9A-Za-z])")
#: The rules by which messages are accepted, and the right to relay that each means.
_RIGHT_OF_RULE = {"S1": "none", "S2": "grant", "S3": "auth"}
#: `--follow`: seconds between two looks, and how far back each goes if `--since` does not say.
FOLLOW_SECONDS = 2.0
FOLLOW_SINCE = "10m"


@dataclass(frozen=True)
class Search:
    """What is looked for: queue ids, or filters as the options name them; "" for none."""

    ids: list[str] = field(default_factory=list)
    message_id: str = ""
    address: str = ""
    account: str = ""
    account_address: str = ""
    client: str = ""
    host: str = ""
    rule: str = ""
    newer: int | str = ""
    older: int | str = ""

    def filters(self, *names: str) -> Record:
        """Return those of the filters `names` that are given, with the bounds of time."""
        return {name: getattr(self, name) for name in (*names, "newer", "older") if getattr(self, name) != ""}

    def asks_for(self, *others: str) -> bool:
        """Return True if one of the filters `others` is given."""
        return any(getattr(self, name) != "" for name in others)


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
    host: Annotated[str, typer.Option("--remote", "--host", help="Only sent to this remote host.")] = "",
    rule: Annotated[
        str, typer.Option(help="Only accepted or refused by this rule of the contract: S10, content.")
    ] = "",
    since: Annotated[str, typer.Option(help="Only within this time: 90s, 30m, 4h, 2d.")] = "",
    until: Annotated[str, typer.Option(help="Only longer ago than this.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Messages and refusals shown.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens; Ctrl-C ends it.")] = False,
    json: Json = False,
) -> None:
    """Show who sent messages, what was refused, and what happened to both, the latest first; for a week or as set."""
    if follow and not since and not (queue_id or who):
        since = FOLLOW_SINCE
    asked = Search(
        _ids(who) if who else [queue.known(queue_id)] if queue_id else [],
        message_id.strip("<>"),
        address,
        account and queue.account_id(account),
        account if "@" in account else "",
        client,
        host,
        rule,
        since and queue.seconds(since),
        until and queue.seconds(until),
    )
    if bool(asked.ids) + bool(
        asked.filters("message_id", "address", "account", "client", "host", "rule")
    ) != 1 and not (since or until):
        fail("name a message, or give --who or a filter; `--help` shows how", 2)
    if follow:
        _follow(asked, limit, json)
        return
    found, whole = _find(asked, limit, who=bool(who))
    if asked.ids and not found:
        fail("no such message was accepted within the time that the history is kept")
    if json:
        show(found, True)
    for record in [] if json else found:
        lines = [trace_lines.who(record)] if who else trace_lines.story(record)
        print("\n".join(printable(line) for line in lines))
    if not found and not json:
        print("nothing was found")
    if not whole:
        raise typer.Exit(1)


def _find(asked: Search, limit: int, *, who: bool = False) -> tuple[list[Record], bool]:
    """Return what the owners know, the latest first, at most `limit` records; and whether all of them answered.

    `who`: only who sent messages, which queue-worker knows.
    """
    found = common.queue(lambda client: _of_queue(client, asked, limit))
    whole = True
    if not who:
        for look in (_add_mailbox_events, _find_mailbox, _find_account):
            try:
                found += look(asked, found, limit)
            except typer.Exit:  # the reason is on standard error
                whole = False
    return sorted(found, key=trace_lines.moment, reverse=True)[:limit], whole


def _add_mailbox_events(asked: Search, found: list[Record], limit: int) -> list[Record]:
    """Add to messages what happened to them in mailboxes."""
    messages = {record["id"]: record for record in found if record["kind"] == "message"}
    if messages:
        for event in common.mailstore(lambda client: client.trace(list(messages))):
            record = messages[event.pop("queue_id").replace("-", "")]
            record["events"] = sorted([*record["events"], event], key=trace_lines.place)
    return []


def _find_mailbox(asked: Search, found: list[Record], limit: int) -> list[Record]:
    """Return what happened in the account's mailbox."""
    if not asked.account or asked.asks_for("message_id", "address", "client", "host", "rule"):
        return []
    page = min(limit, 500)
    return common.mailstore(
        lambda client: _first(client.mailbox_trace(asked.account, limit=page, **asked.filters()), limit, "mailbox")
    )


def _find_account(asked: Search, found: list[Record], limit: int) -> list[Record]:
    """Return logins, and changes of accounts."""
    if asked.ids or asked.asks_for("message_id", "host", "rule"):
        return []
    wanted = asked.filters("client") | {"limit": min(limit, 500)}
    if asked.account and not (address := asked.account_address):
        return []  # auth finds events by address
    if asked.account or asked.address:
        wanted["address"] = address if asked.account else asked.address
    return common.auth(lambda client: _first(client.trace(**wanted), limit, "account"))


async def _of_queue(client: Any, asked: Search, limit: int) -> list[Record]:
    found: list[Record] = []
    page = min(limit, 500)
    right = _RIGHT_OF_RULE.get(asked.rule)
    if not asked.rule or right:
        wanted = asked.filters("message_id", "address", "account", "client", "host") | ({"by": right} if right else {})
        messages = client.trace(id=asked.ids, limit=page, **wanted)
        found += await _first(messages, limit, "message")
    if not asked.ids and not asked.asks_for("message_id", "host"):
        wanted = asked.filters("address", "account", "client", "rule")
        found += await _first(client.refusals(limit=page, **wanted), limit, "refusal")
    return found


async def _first(pages: AsyncIterator[list[Record]], limit: int, kind: str) -> list[Record]:
    found: list[Record] = []
    async for page in pages:
        found += [{"kind": kind, **record} for record in page]
        if len(found) >= limit:
            break
    return found[:limit]


def _follow(asked: Search, limit: int, json: bool) -> None:
    """Print what happens, in order, until Ctrl-C; each look finds `limit` records at most."""
    # asyncio makes a cancellation of it, which a call that is just ending loses; all lines are flushed
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    seen: set[str] = set()
    while True:
        events = sorted(event for record in _find(asked, limit)[0] for event in trace_lines.events(record))
        for _, line, value in events:
            if line not in seen:
                print(common.printable(line) if not json else value, flush=True)
        seen = {line for _, line, _ in events}
        time.sleep(FOLLOW_SECONDS)


def _ids(text: str) -> list[str]:
    """Return the queue ids in `text`, or in standard input if it is "-"."""
    pasted = sys.stdin.read(MOST_PASTED) if text == "-" else text.replace("-", "") if len(text) == 36 else text
    ids = list(dict.fromkeys(_ID.findall(pasted.lower())))
    if not ids:
        fail("there is no queue id in this text: 32 hexadecimal digits behind `id` in Received, or behind `queued as`")
    return ids[:MOST_IDS]
