"""Expansion of forwards and catch-alls to final targets (decision 5): a bounded number of statements for a whole list."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from auth.addresses import RecipientAddress, parse_recipient
from auth.storage.directory import AddressEntry, Box
from auth_api.wire import Target
from mailkit.mail.address import BadAddress

#: Limits of decision 5: levels of forwards, and targets of one recipient.
DEEPEST = 10
MOST_TARGETS = 100
#: Limit of addresses looked up for one list; expansions beyond it count as loops.
MOST_LOOKUPS = 20_000

Lookup = Callable[[Sequence[tuple[str, str]]], Awaitable[Mapping[str, AddressEntry]]]


class Loop(Exception):
    """Forwards in a circle, deeper than DEEPEST or with more than MOST_TARGETS targets."""


class Expansion:
    """The entries of one list's recipients and of all addresses that their forwards lead to."""

    def __init__(self) -> None:
        self._entries: dict[str, AddressEntry] = {}
        self._asked: dict[str, RecipientAddress] = {}

    async def load(self, recipients: Iterable[RecipientAddress], lookup: Lookup) -> None:
        """Look up the recipients, then the addresses they forward to, level by level: at most DEEPEST + 1 statements."""
        level = {recipient.key: recipient for recipient in recipients}
        for _ in range(DEEPEST + 1):
            level = {key: recipient for key, recipient in level.items() if key not in self._asked}
            if not level or len(self._asked) + len(level) > MOST_LOOKUPS:
                return
            self._asked |= level
            found = await lookup([(key, recipient.domain) for key, recipient in level.items()])
            self._entries |= found
            level = {target.key: target for entry in found.values() for target in _next(entry)}

    def local(self, recipient: RecipientAddress) -> bool:
        """Return whether the recipient's domain is local."""
        return recipient.key in self._entries

    def targets(self, recipient: RecipientAddress) -> list[Target]:
        """Return the final targets of a local recipient, each once; empty if there is no such recipient (S14).

        A forward's target that does not exist is left out if another one exists. Raises Loop.
        """
        found: dict[str, Target] = {}
        self._follow(recipient, "", found, set(), set())
        return list(found.values())

    def _follow(
        self, recipient: RecipientAddress, via: str, found: dict[str, Target], path: set[str], done: set[str]
    ) -> None:
        """Add the targets of `recipient`, reached by the forward or catch-all of `via` ("": the recipient asked about)."""
        key = recipient.key
        if key in path or len(path) > DEEPEST:
            raise Loop(key)
        if key in done:
            return
        entry = self._entries.get(key)
        if entry is None:
            if key not in self._asked:
                raise Loop(key)  # beyond what was looked up
            _add(found, Target(recipient.address, via=via))
            return
        path.add(key)
        for box in _boxes(key, entry):
            _add(found, Target(box.address, box.id, box.quota_limit, box.limit_version, via))
        for target in _next(entry):
            if target.key != key:  # a forward to itself only requests the copy
                self._follow(target, recipient.address, found, path, done)
        path.discard(key)
        done.add(key)


def _boxes(key: str, entry: AddressEntry) -> list[Box]:
    """Return the mailbox that gets the mail.

    It is the address's own (L3; with a forward only for a copy, L2), or the domain's catch-all mailbox (L1).
    """
    if entry.forward:
        itself = any(target.key == key for target in _parsed(entry.forward))
        return [entry.mailbox] if entry.mailbox and (entry.keep_copy or itself) else []
    if entry.mailbox:
        return [entry.mailbox]
    return [entry.catchall_mailbox] if entry.catchall_mailbox else []


def _next(entry: AddressEntry) -> list[RecipientAddress]:
    """Return what the entry forwards to: its own forward, or without forward and mailbox the domain's catch-all."""
    return _parsed(entry.forward or (() if entry.mailbox else entry.catchall_forward))


def _parsed(targets: Iterable[str]) -> list[RecipientAddress]:
    parsed = []
    for text in targets:
        try:
            parsed.append(parse_recipient(text))
        except BadAddress:
            continue  # the API accepts none; a row made by hand must not stop the others
    return parsed


def _add(found: dict[str, Target], target: Target) -> None:
    """Add a target once: mailboxes compare by id, remote addresses by their text (the local part with its case)."""
    place = str(target.mailbox_id) if target.mailbox_id else target.address
    if place not in found:
        if len(found) >= MOST_TARGETS:
            raise Loop(place)
        found[place] = target
