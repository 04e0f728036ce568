"""What `postrider queue top` shows: groups of recipients, added up part by part of the queue."""

import asyncio
import time
from typing import Any

from postrider.commands.common import Record, printable, table

#: Groups that are kept while parts are added; of more, the smallest are dropped.
MOST = 100_000
#: What a terminal does before the table is printed again: the cursor goes home, the screen is cleared.
_HOME = "\x1b[H\x1b[2J"
_COLUMNS = ("recipients", "waiting", "claimed", "held")


async def watch(client: Any, by: str, wanted: Record, limit: int, every: float, as_json: bool) -> None:
    """Count and print, again and again with `every` seconds between; once if it is 0."""
    headings = {"key": by.upper(), **{name: name.upper() for name in _COLUMNS}, "oldest": "OLDEST"}
    try:
        while True:
            groups: dict[str, Record] = {}
            shown = time.monotonic()
            async for part in client.top(by, **wanted):
                add(groups, part)
                if every and time.monotonic() - shown > every:  # a long queue: what has been counted so far
                    print(_HOME, end="")
                    table(largest(groups, limit), False, headings, "the queue is empty")
                    shown = time.monotonic()
            if every:
                print(_HOME, end="")
            table(largest(groups, limit), as_json, headings, "the queue is empty")
            if not as_json:
                for line in held_back(await client.list_shaping()):
                    print(line)
            if not every:
                return
            await asyncio.sleep(every)
    except asyncio.CancelledError:  # Ctrl-C
        return


def held_back(operators: list[Record]) -> list[str]:
    """Return a line for each operator of mail hosts to which nothing more is begun at the moment."""
    lines = []
    for each in operators:
        under_way = f"{each['conversations']} of {each['conversations_max']} conversations under way"
        if each["paused_until"]:
            lines.append(f"held back by shaping of {each['name']} until {each['paused_until']}: {each['reply']}")
        elif each["conversations"] >= each["conversations_max"]:
            lines.append(f"held back by shaping of {each['name']}: {under_way}")
        elif each["reply"]:
            lines.append(f"shaping of {each['name']}: {under_way}, after {each['reply']}")
    return [printable(line) for line in lines]


def add(groups: dict[str, Record], part: list[Record]) -> None:
    """Add the counts of `part` to `groups`."""
    for group in part:
        known = groups.get(group["key"])
        if known is None:
            groups[group["key"]] = dict(group)
            continue
        for name in _COLUMNS:
            known[name] += group[name]
        known["oldest"] = min(known["oldest"], group["oldest"])
    if len(groups) > MOST:
        for group in largest(groups, len(groups))[MOST // 2 :]:
            del groups[group["key"]]


def largest(groups: dict[str, Record], limit: int) -> list[Record]:
    """Return the `limit` largest groups, the largest first."""
    return sorted(groups.values(), key=lambda group: (-group["recipients"], group["key"]))[:limit]
