"""What a client asked to be notified of, and what it knows of its mailboxes: the responses for what is new (RFC 5465)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from mailstore_api.wire import FolderInfo, MetadataState
from pop_imap_frontend.imap.folder_lines import above, attributes, list_line, status_line
from pop_imap_frontend.imap.notify_groups import MESSAGE_EVENTS, Group
from pop_imap_frontend.imap.responses import mailbox, quoted

#: Limit of the mailboxes that one session watches: each takes 400 octets (docs/decisions/0067).
MOST_MAILBOXES = 250
#: Folders compared before the event loop runs other tasks.
_TURN = 50

_SHOWN = partial(mailbox, utf8=False)
_NONE: frozenset[str] = frozenset()
_MESSAGES = frozenset(MESSAGE_EVENTS)


class TooManyMailboxes(Exception):
    """More than MOST_MAILBOXES would be watched."""


class Notifier:
    """The groups of a NOTIFY SET; no groups: NOTIFY NONE.

    Beside the selected mailbox, mailboxes are compared with what was sent of them last. So a client that does not read makes
    nothing grow: what happens meanwhile becomes one difference.
    """

    def __init__(self, groups: Sequence[Group], shown: Callable[[str], bytes] = _SHOWN) -> None:
        self._shown = shown  # returns a name as the client reads it
        self.selected = next((group for group in groups if group.is_selected and group.events), None)
        """Events of the selected mailbox; None if the client wants none."""
        self._others = [group for group in groups if not group.is_selected and group.events]
        self.due = False
        """Whether the account may have changed since the mailboxes were compared."""
        self.next_at = 0.0
        """When they may be compared next, on the loop's clock."""
        self._known: dict[int, FolderInfo] = {}
        self._subscribed: set[str] = set()
        self._last_id = 0
        self._set_at: dict[tuple[int, str], int] = {}
        self.metadata_version = -1

    @property
    def delays_expunges(self) -> bool:
        """Whether EXPUNGE responses wait for a command that allows them (RFC 5465 6.1.2)."""
        return self.selected is not None and self.selected.scope == "SELECTED-DELAYED"

    @property
    def watches_others(self) -> bool:
        return bool(self._others)

    @property
    def watches_metadata(self) -> bool:
        """Whether changes of annotations are wanted."""
        return any(group.events & {"MailboxMetadataChange", "ServerMetadataChange"} for group in self._others)

    def begin(self, folders: Sequence[FolderInfo], metadata: MetadataState | None) -> None:
        """Take this for known. Raises TooManyMailboxes."""
        known = {folder.folder_id: folder for folder in folders if folder.folder_id and self._events(folder)}
        subscribed = {
            folder.name for folder in folders if folder.subscribed and "SubscriptionChange" in self._events(folder)
        }
        if len(known) > MOST_MAILBOXES or len(subscribed) > MOST_MAILBOXES:
            raise TooManyMailboxes
        self._known, self._subscribed = known, subscribed
        self._last_id = max([self._last_id, *(folder.folder_id for folder in folders)])
        if metadata is not None and metadata.metadata_version != self.metadata_version:
            self.metadata_version = metadata.metadata_version
            self._set_at = {(item.folder_id, item.entry): item.set_at for item in metadata.items}

    def status(self, folders: Sequence[FolderInfo], selected_id: int) -> Iterator[bytes]:
        """Yield STATUS responses of the mailboxes whose messages are watched, but for the selected one (RFC 5465 3.1)."""
        for folder in folders:
            events = self._events(folder)
            if folder.folder_id in (0, selected_id) or not events & _MESSAGES:
                continue
            items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
            yield status_line(
                self._shown(folder.name), folder, [*items, "HIGHESTMODSEQ"] if "FlagChange" in events else items
            )

    def news(
        self, folders: Sequence[FolderInfo], metadata: MetadataState | None, selected_id: int, *, condstore: bool
    ) -> Iterator[bytes]:
        """Yield responses for what is new and take it for known. Raises TooManyMailboxes.

        `selected_id`: the folder whose messages are not compared here; `condstore`: the client uses MODSEQs.
        """
        names = {folder.name: folder for folder in folders}
        yield from self._listed(names)
        before = {folder.name: folder for folder in self._known.values()}
        for at, folder in enumerate(folders):
            if folder.folder_id and folder.folder_id != selected_id:
                old = self._known.get(folder.folder_id) or before.get(folder.name)
                yield self._counted(folder, old, condstore=condstore)
            elif at % _TURN == 0:
                yield b""
        if metadata is not None and metadata.metadata_version != self.metadata_version:
            yield from self._annotated(metadata, {folder.folder_id: folder for folder in folders})
        self.begin(folders, metadata)

    # -- one event each

    def _events(self, folder: FolderInfo | None) -> frozenset[str]:
        if folder is None:
            return _NONE
        return _NONE.union(*(group.events for group in self._others if group.matches(folder)))

    def _listed(self, names: dict[str, FolderInfo]) -> Iterator[bytes]:
        """Yield LIST responses for names that were made, removed, renamed, subscribed or unsubscribed (RFC 5465 5.4, 5.5)."""
        folders = {folder.folder_id: folder for folder in names.values() if folder.folder_id}
        renamed = {
            old.name: folders[folder_id].name
            for folder_id, old in self._known.items()
            if folder_id in folders and folders[folder_id].name != old.name
        }
        was = {old.name: old for old in self._known.values()}
        olds = {new: old for old, new in renamed.items() if not _with_a_level_above(old, new, renamed)}
        affected = {new for old, new in renamed.items() if new in olds and self._names_of(was[old], names[new])}
        gone = [old for folder_id, old in self._known.items() if folder_id not in folders]
        made = [folder for folder_id, folder in folders.items() if folder_id > self._last_id]
        for folder in [*gone, *made]:
            if self._names_of(folder):
                affected.add(folder.name)
                affected |= {parent for parent in above(folder.name)[-1:] if self._names_of(names.get(parent))}
        for name in self._subscribed ^ {name for name, folder in names.items() if folder.subscribed}:
            if name in self._subscribed or "SubscriptionChange" in self._events(names[name]):
                affected.add(name)
        if not affected:
            return
        parents = {level for folder in names.values() if folder.exists for level in above(folder.name)}
        for name in sorted(affected):
            there = names.get(name)
            extra = b' ("OLDNAME" (%b))' % self._shown(olds[name]) if name in olds else b""
            given = ["\\NonExistent"] if there is None else attributes(there, parents, subscribed=True)
            yield list_line(b"LIST", self._shown(name), given, extra)

    def _names_of(self, *folders: FolderInfo | None) -> bool:
        return any("MailboxName" in self._events(folder) for folder in folders)

    def _counted(self, folder: FolderInfo, old: FolderInfo | None, *, condstore: bool) -> bytes:
        """Return a STATUS response if the messages of `folder` changed and the client wants it (RFC 5465 5.1 to 5.3)."""
        events = self._events(folder) & _MESSAGES
        known = (old.messages, old.uidnext, old.unseen, old.highest_modseq) if old else (0, 1, 0, 1)
        now = folder.messages, folder.uidnext, folder.unseen, folder.highest_modseq
        another = old is not None and old.uidvalidity != folder.uidvalidity
        if not events or (now == known and not another):
            return b""
        items = ["MESSAGES", "UIDNEXT"] if now[:2] != known[:2] else []
        if "FlagChange" in events:
            items += ["UNSEEN"] if folder.unseen != known[2] else []
            items += ["HIGHESTMODSEQ"] if condstore and now[3] != known[3] else []
            items += ["UIDVALIDITY"] if another or "HIGHESTMODSEQ" in items else []
        elif condstore and items:
            items.append("HIGHESTMODSEQ")
        return status_line(self._shown(folder.name), folder, items) if items else b""

    def _annotated(self, metadata: MetadataState, folders: dict[int, FolderInfo]) -> Iterator[bytes]:
        """Yield METADATA responses with the names of entries that were set or removed (RFC 5465 5.6, 5.7)."""
        now = {(item.folder_id, item.entry): item.set_at for item in metadata.items}
        changed: dict[int, list[str]] = {}
        for key in now.keys() | self._set_at.keys():
            if now.get(key) != self._set_at.get(key):
                changed.setdefault(key[0], []).append(key[1])
        for folder_id, entries in sorted(changed.items()):
            folder = folders.get(folder_id) if folder_id else None
            if folder is None and folder_id:
                continue  # removed with its folder
            wanted = (
                "MailboxMetadataChange" in self._events(folder)
                if folder
                else any("ServerMetadataChange" in group.events for group in self._others)
            )
            if wanted:
                name = self._shown(folder.name if folder else "")
                listed = b" ".join([quoted(entry.encode()) for entry in sorted(entries)])
                yield b"* METADATA %b %b\r\n" % (name, listed)


def _with_a_level_above(old: str, new: str, renamed: dict[str, str]) -> bool:
    """Return whether a folder has another name only since a level above it was renamed, which is the one event."""
    return any(level in renamed and new == renamed[level] + old[len(level) :] for level in above(old))
