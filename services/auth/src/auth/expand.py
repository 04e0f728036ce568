"""Forwards and catch-alls followed to final targets (decision 5): a constant number of statements for a whole list."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from auth.addresses import Recipient, parse_recipient
from auth.storage.directory import Box, Entry
from auth_client.wire import Target
from mailkit.address import BadAddress

#: Decision 5: how deep forwards may lead, and how many targets one recipient may have.
DEEPEST = 10
MOST_TARGETS = 100
#: Addresses one list may make us look up; beyond it expansions count as loops.
MOST_LOOKUPS = 20_000

Lookup = Callable[[Sequence[tuple[str, str]]], Awaitable[Mapping[str, Entry]]]


class Loop(Exception):
    """Forwards in a circle, deeper than DEEPEST or with more than MOST_TARGETS targets."""


class Expansion:
    """What stands at the recipients of one list and at everything their forwards lead to."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._asked: dict[str, Recipient] = {}

    async def load(self, recipients: Iterable[Recipient], lookup: Lookup) -> None:
        """Look the recipients up, then what they forward to, level by level: at most DEEPEST + 1 statements."""
        level = {recipient.key: recipient for recipient in recipients}
        for _ in range(DEEPEST + 1):
            level = {key: recipient for key, recipient in level.items() if key not in self._asked}
            if not level or len(self._asked) + len(level) > MOST_LOOKUPS:
                return
            self._asked |= level
            found = await lookup([(key, recipient.domain) for key, recipient in level.items()])
            self._entries |= found
            level = {target.key: target for entry in found.values() for target in _next(entry)}

    def local(self, recipient: Recipient) -> bool:
        """Is its domain ours?"""
        return recipient.key in self._entries

    def targets(self, recipient: Recipient) -> list[Target]:
        """Where mail for a local recipient goes in the end, each place once; empty: nobody is there (S14).

        A forward's target that does not exist is left out as long as another one does. Raises Loop.
        """
        found: dict[str, Target] = {}
        self._follow(recipient, "", found, set(), set())
        return list(found.values())

    def _follow(self, recipient: Recipient, via: str, found: dict[str, Target], path: set[str], done: set[str]) -> None:
        """Add the targets of `recipient`, which the forward or catch-all of `via` leads to ("": it was asked for)."""
        key = recipient.key
        if key in path or len(path) > DEEPEST:
            raise Loop(key)
        if key in done:
            return
        entry = self._entries.get(key)
        if entry is None:
            if key not in self._asked:
                raise Loop(key)  # deeper than we looked
            _add(found, Target(recipient.address, via=via))
            return
        path.add(key)
        for box in _boxes(key, entry):
            _add(found, Target(box.address, box.id, box.quota_limit, box.limit_version, via))
        for target in _next(entry):
            if target.key != key:  # a forward to itself asks for the copy
                self._follow(target, recipient.address, found, path, done)
        path.discard(key)
        done.add(key)


def _boxes(key: str, entry: Entry) -> list[Box]:
    """The mailbox that gets the mail: the address's own (L3; besides a forward only for a copy, L2), or the
    domain's catch-all mailbox (L1)."""
    if entry.forward:
        itself = any(target.key == key for target in _parsed(entry.forward))
        return [entry.mailbox] if entry.mailbox and (entry.keep_copy or itself) else []
    if entry.mailbox:
        return [entry.mailbox]
    return [entry.catchall_mailbox] if entry.catchall_mailbox else []


def _next(entry: Entry) -> list[Recipient]:
    """What the entry forwards to: its own forward, or the domain's catch-all when nobody else is there."""
    return _parsed(entry.forward or (() if entry.mailbox else entry.catchall_forward))


def _parsed(targets: Iterable[str]) -> list[Recipient]:
    parsed = []
    for text in targets:
        try:
            parsed.append(parse_recipient(text))
        except BadAddress:
            continue  # the API lets none in; a hand-made row must not stop the others
    return parsed


def _add(found: dict[str, Target], target: Target) -> None:
    """Each place once: a mailbox by its id, a remote address without regard to its domain's case only."""
    place = str(target.mailbox_id) if target.mailbox_id else target.address
    if place not in found:
        if len(found) >= MOST_TARGETS:
            raise Loop(place)
        found[place] = target
