"""Notifications of mailboxes that are not selected (RFC 5465 5): what differs between two looks at an account."""

from typing import Any

import msgspec
import pytest

from mailstore_api.wire import AnnotationVersion, FolderInfo, MetadataState
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.notifier import MOST_MAILBOXES, Notifier, TooManyMailboxes
from pop_imap_frontend.imap.notify_groups import parse_groups

ALL = b"(personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange))"


def folder(folder_id: int, name: str, **more: Any) -> FolderInfo:
    given = {"subscribed": False, "selectable": bool(folder_id), "highest_modseq": 1, "messages": 0, **more}
    made = FolderInfo(name, folder_id, "", False, True, 7, 1, 1, 0, 0, 0, 0)
    return msgspec.structs.replace(made, **given)


def noted(*entries: tuple[int, str, int]) -> MetadataState:
    return MetadataState(
        max((set_at for _, _, set_at in entries), default=0), [AnnotationVersion(*each) for each in entries]
    )


class Client:
    """What a client that watches `groups` is sent."""

    def __init__(self, groups: bytes, *folders: FolderInfo, condstore: bool = False) -> None:
        self.notifier = Notifier(parse_groups(Cursor(groups)))
        self.notifier.begin(folders, MetadataState(0))
        self.condstore = condstore

    def sent(self, *folders: FolderInfo, metadata: MetadataState | None = None, selected_id: int = 0) -> list[str]:
        lines = self.notifier.news(folders, metadata, selected_id, condstore=self.condstore)
        return b"".join(lines).decode().splitlines()


def test_new_and_expunged_messages() -> None:
    client = Client(ALL, folder(1, "INBOX"), folder(2, "a"))
    grown = folder(2, "a", messages=2, uidnext=3, unseen=2, highest_modseq=2)
    assert client.sent(folder(1, "INBOX"), grown) == ["* STATUS a (MESSAGES 2 UIDNEXT 3 UNSEEN 2)"]
    assert client.sent(folder(1, "INBOX"), grown) == []
    shrunk = folder(2, "a", messages=1, uidnext=3, unseen=1, highest_modseq=3)
    client.condstore = True
    assert client.sent(folder(1, "INBOX"), shrunk) == [
        "* STATUS a (MESSAGES 1 UIDNEXT 3 UNSEEN 1 HIGHESTMODSEQ 3 UIDVALIDITY 7)"
    ]


def test_flags_are_notified_with_unseen_or_modseqs() -> None:
    client = Client(ALL, folder(2, "a", messages=1, unseen=1))
    flagged = folder(2, "a", messages=1, unseen=1, highest_modseq=2)
    assert client.sent(flagged) == []  # neither UNSEEN nor CONDSTORE (RFC 5465 5.1)
    assert client.sent(folder(2, "a", messages=1, highest_modseq=3)) == ["* STATUS a (UNSEEN 0)"]
    client.condstore = True
    assert client.sent(folder(2, "a", messages=1, highest_modseq=4)) == ["* STATUS a (HIGHESTMODSEQ 4 UIDVALIDITY 7)"]
    client = Client(b"(inboxes (MessageNew MessageExpunge))", folder(1, "INBOX"), condstore=True)
    assert client.sent(folder(1, "INBOX", highest_modseq=9)) == []
    grown = folder(1, "INBOX", messages=1, uidnext=2, highest_modseq=10)
    assert client.sent(grown) == ["* STATUS INBOX (MESSAGES 1 UIDNEXT 2 HIGHESTMODSEQ 10)"]
    again = folder(1, "INBOX", messages=3, uidnext=4, highest_modseq=11)
    assert client.sent(again, selected_id=1) == []  # events of the selected mailbox are another group's
    assert client.sent(again) == []


def test_names_that_are_made_removed_and_renamed() -> None:
    tree = [folder(1, "INBOX"), folder(0, "a"), folder(2, "a/b"), folder(3, "a/b/c")]
    client = Client(ALL, *tree)
    assert client.sent(*tree, folder(4, "a/new")) == [
        '* LIST (\\HasChildren \\Noselect) "/" a',
        '* LIST (\\HasNoChildren) "/" a/new',
    ]
    moved = [folder(1, "INBOX"), folder(0, "a"), folder(2, "x"), folder(3, "x/c"), folder(4, "a/new")]
    assert client.sent(*moved) == ['* LIST (\\HasChildren) "/" x ("OLDNAME" (a/b))']  # one event for the children too
    assert client.sent(*moved[:2], folder(0, "x"), *moved[3:]) == ['* LIST (\\HasChildren \\Noselect) "/" x']
    assert client.sent(folder(1, "INBOX"), folder(0, "x"), folder(3, "x/c")) == ['* LIST (\\NonExistent) "/" a/new']


def test_a_name_that_is_used_again_is_another_mailbox() -> None:
    client = Client(ALL, folder(2, "a", messages=1, uidnext=2))
    assert client.sent(folder(5, "a", uidvalidity=8)) == [
        '* LIST (\\HasNoChildren) "/" a',
        "* STATUS a (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 8)",
    ]


def test_subscriptions_are_looked_at_again() -> None:
    groups = b"(subscribed (MessageNew MessageExpunge SubscriptionChange))"
    client = Client(groups, folder(2, "a"), folder(3, "b", subscribed=True))
    more = {"messages": 1, "uidnext": 2}
    assert client.sent(folder(2, "a", **more), folder(3, "b")) == ['* LIST (\\HasNoChildren) "/" b']
    assert client.sent(folder(2, "a", subscribed=True, **more), folder(3, "b", **more)) == [
        '* LIST (\\HasNoChildren \\Subscribed) "/" a',
        "* STATUS a (MESSAGES 1 UIDNEXT 2)",
    ]
    lost = folder(0, "a", subscribed=True, exists=False)
    assert client.sent(lost) == []


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (b"subtree a", ["a", "a/b"]),
        (b"subtree (a/b INBOX)", ["INBOX", "a/b"]),
        (b"mailboxes (a nowhere)", ["a"]),
        (b"mailboxes %", []),
        (b"inboxes", ["INBOX"]),
        (b"personal", ["INBOX", "a", "a/b", "ab"]),
    ],
)
def test_filters(filters: bytes, names: list[str]) -> None:
    quiet = [folder(at, name) for at, name in enumerate(["INBOX", "a", "a/b", "ab"], 1)]
    client = Client(b"(%b (MessageNew MessageExpunge))" % filters.replace(b"%", b'"%"'), *quiet)
    loud = [msgspec.structs.replace(each, messages=1, uidnext=2) for each in quiet]
    assert client.sent(*loud) == [f"* STATUS {name} (MESSAGES 1 UIDNEXT 2)" for name in names]


def test_annotations_of_mailboxes_and_of_the_account() -> None:
    folders = folder(1, "INBOX"), folder(2, "a")
    client = Client(b"(mailboxes a (MailboxMetadataChange ServerMetadataChange))", *folders)
    state = noted((2, "/private/b", 1), (2, "/private/a", 1), (1, "/private/a", 1), (0, "/private/x", 2))
    assert client.sent(*folders, metadata=state) == [
        '* METADATA "" "/private/x"',
        '* METADATA a "/private/a" "/private/b"',
    ]
    state = MetadataState(3, [AnnotationVersion(2, "/private/b", 3), AnnotationVersion(0, "/private/x", 2)])
    assert client.sent(*folders, metadata=state) == ['* METADATA a "/private/a" "/private/b"']
    assert client.sent(*folders, metadata=MetadataState(3)) == []  # as answered where nothing changed
    assert client.sent(folders[0], metadata=noted((0, "/private/x", 4))) == ['* METADATA "" "/private/x"']


def test_the_number_of_watched_mailboxes_is_limited() -> None:
    folders = [folder(at, f"f{at:03d}") for at in range(1, MOST_MAILBOXES + 2)]
    client = Client(ALL, *folders[:-1])
    with pytest.raises(TooManyMailboxes):
        client.sent(*folders)
    with pytest.raises(TooManyMailboxes):
        Client(ALL, *folders)
    Client(b"(mailboxes f001 (MessageNew MessageExpunge))", *folders)
