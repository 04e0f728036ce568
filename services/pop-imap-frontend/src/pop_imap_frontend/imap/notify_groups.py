"""Arguments of NOTIFY SET (RFC 5465 8): groups of mailboxes, each with the events that the client wants to know of."""

from dataclasses import dataclass

from mailstore_api.wire import DELIMITER, FolderInfo
from pop_imap_frontend.imap.fetch import FetchItems, parse_items
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand, No

#: Limits of the groups of a command and of the mailboxes that it names.
MOST_GROUPS = 10
MOST_NAMES = 100

MESSAGE_EVENTS = ("MessageNew", "MessageExpunge", "FlagChange")
_EVENTS = (*MESSAGE_EVENTS, "MailboxName", "SubscriptionChange", "MailboxMetadataChange", "ServerMetadataChange")
_KNOWN = {name.upper(): name for name in _EVENTS}
_SELECTED = ("SELECTED", "SELECTED-DELAYED")


@dataclass(frozen=True)
class Group:
    """Mailboxes (`scope`: the filter in capitals) and the events of them; `items`: what is sent of new messages."""

    scope: str
    names: frozenset[str]
    events: frozenset[str]
    items: FetchItems | None = None

    @property
    def is_selected(self) -> bool:
        """Whether it is for the selected mailbox; all others are for those that are not selected."""
        return self.scope in _SELECTED

    def matches(self, folder: FolderInfo) -> bool:
        """Return whether the group is for this mailbox (RFC 5465 6.2 to 6.6)."""
        if self.scope == "SUBSCRIBED":
            return folder.subscribed
        if self.scope == "INBOXES":  # mail is delivered to INBOX only
            return folder.name == "INBOX"
        if self.scope == "SUBTREE":
            name = folder.name
            return name in self.names or any(
                char == DELIMITER and name[:at] in self.names for at, char in enumerate(name)
            )
        return self.scope == "PERSONAL" or folder.name in self.names


def parse_groups(cursor: Cursor) -> list[Group]:
    """Parse the groups up to the end of the command. Raises BadCommand, and No for events and numbers that are not possible."""
    groups = [_group(cursor)]
    while not cursor.at_end():
        cursor.space()
        groups.append(_group(cursor))
        if len(groups) > MOST_GROUPS:
            raise No(f"[NOTIFICATIONOVERFLOW] a NOTIFY has at most {MOST_GROUPS} groups here")
    if sum(group.is_selected for group in groups) > 1:
        raise BadCommand("only one group is for the selected mailbox")
    if sum(len(group.names) for group in groups) > MOST_NAMES:
        raise No(f"[NOTIFICATIONOVERFLOW] a NOTIFY names at most {MOST_NAMES} mailboxes here")
    return groups


def _group(cursor: Cursor) -> Group:
    cursor.literal(b"(", "a group of events")
    scope = cursor.keyword("a mailbox filter")
    names: list[str] = []
    if scope in ("SUBTREE", "MAILBOXES"):
        cursor.space()
        if cursor.peek() == b"(":
            names = [cursor.mailbox() for _ in cursor.each("a list of mailboxes")]
        else:
            names = [cursor.mailbox()]
    elif scope not in (*_SELECTED, "INBOXES", "PERSONAL", "SUBSCRIBED"):
        raise BadCommand(f"{scope} is not a mailbox filter")
    cursor.space()
    events: set[str] = set()
    items = None
    if cursor.peek() == b"(":
        for _ in cursor.each("a list of events"):
            event = _event(cursor)
            if event == "MessageNew" and cursor.data.startswith(b" (", cursor.pos):
                cursor.space()
                items = parse_items(cursor)
            events.add(event)
        if not events:
            raise BadCommand("expected an event")
    elif cursor.keyword("NONE") != "NONE":
        raise BadCommand("expected a list of events or NONE")
    cursor.literal(b")")
    _require_together(scope, events, items)
    return Group(scope, frozenset(names), frozenset(events), items)


def _event(cursor: Cursor) -> str:
    event = _KNOWN.get(cursor.keyword("an event"))
    if event is None:
        raise No(f"[BADEVENT ({' '.join(_EVENTS)})] this event is not known here")
    return event


def _require_together(scope: str, events: set[str], items: FetchItems | None) -> None:
    """Raise BadCommand for events that do not go with each other or with the mailboxes (RFC 5465 5, 6.1, 8)."""
    alone = len(events & {"MessageNew", "MessageExpunge"})
    if alone == 1 or ("FlagChange" in events and not alone):
        raise BadCommand("MessageNew and MessageExpunge go together, and FlagChange with them")
    if scope in _SELECTED and events - set(MESSAGE_EVENTS):
        raise BadCommand("for the selected mailbox there are events of messages only")
    if scope not in _SELECTED and items is not None:
        raise BadCommand("items of new messages are for the selected mailbox only")
