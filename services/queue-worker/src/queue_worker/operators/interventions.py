"""Which pauses and routes of operators concern a message, for the trace (docs/decisions/0084)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from queue_worker.storage.trace import Accepted, Act, Event

#: Events that say where a recipient is now.
NOW = ("waiting", "claimed", "held")
#: Most pauses and routes of which one page looks for.
MOST_KEYS = 2000

Key = tuple[str, str]


def keys_of(row: Accepted, events: Iterable[Event]) -> set[Key]:
    """Return the kinds and values of the pauses and routes that a message obeys."""
    found = {("all", "")}
    if row.account:
        found |= {("account", str(row.account)), ("disabled", str(row.account))}
    remote = {event.recipient.rpartition("@")[2].lower() for event in events if event.remote and event.recipient}
    found |= {("destination", domain) for domain in remote}
    if remote and row.mail_from:
        found.add(("sender", row.mail_from.rpartition("@")[2].lower()))
    return found


def concerning(row: Accepted, events: Sequence[Event], standing: dict[Key, list[Act]]) -> list[Act]:
    """Return what operators paused, routed and ended while the message was under way, and the pauses in force when it came.

    `standing`: of each kind and value, the latest first.
    """
    if row.at is None:
        return []
    under_way = any(event.event in NOW for event in events)
    ends = [event.at for event in events if event.at is not None]
    end = max(ends) if ends and not under_way else None
    remote = any(event.remote for event in events)
    found: list[Act] = []
    for key in sorted(keys_of(row, events)):
        acts = standing.get(key, [])
        found += [act for act in reversed(acts) if _within(act.at, row.at, end) and (remote or act.action in _PAUSES)]
        before = next((act for act in acts if act.action in _PAUSES and act.at < row.at), None)
        if before is not None and before.action == "pause":
            found.append(before)
    return found


_PAUSES = ("pause", "resume")


def _within(at: datetime, start: datetime, end: datetime | None) -> bool:
    return start <= at and (end is None or at <= end)
