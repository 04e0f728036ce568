"""What sessions of one folder cost: one sequence of its messages, whatever their number."""

import asyncio
import tracemalloc
from array import array
from typing import Any, cast
from uuid import UUID

from mailkit.errors import NotFound
from mailstore_api.wire import SEEN, Changes, Days, DaysQuestion, FolderSnapshot, OpenFolder, Order, OrderQuestion
from pop_imap_frontend.imap.folder.cache import SharedFolders
from pop_imap_frontend.imap.folder.messages import FolderMessages

COUNT = 100_000
SESSIONS = 50
#: Limit of the octets of a session beyond the folder that it shares.
MOST_OF_A_SESSION = 100_000


class Mailstore:
    """A folder of COUNT messages, every second UID, of which `changed` says what became of it."""

    def __init__(self) -> None:
        self.modseq = 1
        self.whole = 0
        self.asked: list[int] = []
        self.expunged = 2 * COUNT
        self.without_order = False

    async def open_folder(self, question: OpenFolder) -> FolderSnapshot:
        head = FolderSnapshot("ok", 1, 1, 2 * COUNT, self.modseq)
        if question.known_modseq == self.modseq:
            return FolderSnapshot(*_fields(head), [], since=self.modseq, messages=COUNT, unseen=COUNT)
        self.whole += 1
        uids = array("I", range(1, 2 * COUNT, 2))
        return FolderSnapshot(*_fields(head)[:6], uids.tobytes(), bytes(8 * COUNT), [])

    async def days(self, question: DaysQuestion) -> Days:
        """Messages come on one day each, in answers of half the folder; those from UID `expunged` on are gone."""
        self.asked.append(question.after)
        uids = array("I", range((question.after + 1) // 2 * 2 + 1, self.expunged, 2)[: COUNT // 2])
        more = len(uids) == COUNT // 2
        return Days("ok", uids.tobytes(), array("i", uids).tobytes(), more)

    async def order(self, question: OrderQuestion) -> Order:
        """The later a message came, the less its value."""
        self.asked.append(question.after)
        if self.without_order:
            raise NotFound("no such endpoint")
        uids = array("I", range(2 * COUNT - 1, question.after, -2))
        return Order("ok", uids.tobytes(), array("q", [-uid for uid in uids]).tobytes())

    def changed(self, uid: int) -> Changes:
        self.modseq += 1
        return Changes("ok", self.modseq, 2 * COUNT, 0, array("I", [uid]).tobytes(), array("Q", [SEEN]).tobytes())


def _fields(snapshot: FolderSnapshot) -> tuple[Any, ...]:
    return "ok", 1, 1, 2 * COUNT, snapshot.highest_modseq, 0, b"", b""


async def test_fifty_sessions_cost_one_view() -> None:
    mailstore = Mailstore()
    folders = SharedFolders(cast(Any, mailstore))
    tracemalloc.start()
    try:
        views = [await folders.open(UUID(int=1), "INBOX", read_only=False)]
        first, _ = tracemalloc.get_traced_memory()
        views += [await folders.open(UUID(int=1), "INBOX", read_only=False) for _ in range(SESSIONS)]
        opened, _ = tracemalloc.get_traced_memory()
        for uid in (1, COUNT + 1, 2 * COUNT - 1):
            changes = mailstore.changed(uid)
            for view in views:
                assert view is not None
                assert b"".join(view.apply(changes)).count(b"FETCH") == 1
                view.names, view.messages = folders.share(view.folder, view.state())
        changed, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mailstore.whole == 1
    assert len({id(view.messages) for view in views if view is not None}) == 1
    assert (opened - first) / SESSIONS < MOST_OF_A_SESSION
    assert (changed - opened) / SESSIONS < MOST_OF_A_SESSION


async def test_a_session_that_is_behind_costs_the_chunks_that_changed() -> None:
    mailstore = Mailstore()
    folders = SharedFolders(cast(Any, mailstore))
    views = [await folders.open(UUID(int=1), "INBOX", read_only=False) for _ in range(2)]
    behind, ahead = views
    assert behind is not None and ahead is not None
    for uid in range(1, 20, 2):
        for _ in ahead.apply(mailstore.changed(uid)):
            pass
        ahead.names, ahead.messages = folders.share(ahead.folder, ahead.state())
    shared = set(map(id, behind.messages.chunks)) & set(map(id, ahead.messages.chunks))
    assert len(shared) == len(behind.messages.chunks) - 1


async def test_days_are_read_once_and_counted() -> None:
    mailstore = Mailstore()
    folders = SharedFolders(cast(Any, mailstore))
    view = await folders.open(UUID(int=1), "INBOX", read_only=False)
    assert view is not None
    before = view.folder.octets
    first, second = await asyncio.gather(*(folders.days(view.folder, view.messages) for _ in range(2)))
    assert first is second is not None and len(first) == COUNT
    assert mailstore.asked == [0, COUNT - 1, 2 * COUNT - 1]  # at the end of a full answer there may be more
    assert view.folder.octets - before > 8 * COUNT
    few = FolderMessages().with_new(array("I", [1, 3]), array("Q", [0, 0]))
    mailstore.expunged = 4
    again = await folders.days(view.folder, few)
    assert (
        again is not None and again is not first and len(again) == 2
    )  # the days of expunged messages are not kept for ever
    assert view.folder.octets - before < COUNT


async def test_days_of_messages_expunged_meanwhile_are_asked_for_once() -> None:
    mailstore = Mailstore()
    folders = SharedFolders(cast(Any, mailstore))
    view = await folders.open(UUID(int=1), "INBOX", read_only=False)
    mailstore.expunged = COUNT // 2
    assert view is not None
    for _ in range(2):
        days = await folders.days(view.folder, view.messages)
        assert days is not None and len(days) == COUNT // 4
    assert mailstore.asked == [0]


async def test_an_order_is_read_once_and_counted() -> None:
    mailstore = Mailstore()
    folders = SharedFolders(cast(Any, mailstore))
    view = await folders.open(UUID(int=1), "INBOX", read_only=False)
    assert view is not None
    before = view.folder.octets
    first, second = await asyncio.gather(*(folders.order(view.folder, "DATE", view.messages) for _ in range(2)))
    assert first is second is not None and first.uids[0] == 2 * COUNT - 1
    assert 12 * COUNT < view.folder.octets - before < 13 * COUNT
    for _ in view.apply(mailstore.changed(1)):  # flags are not in it
        pass
    again = await folders.order(view.folder, "DATE", view.messages)
    assert again is not None and again.uids.obj is first.uids.obj and mailstore.asked == [0]
    for key in ("-SIZE", "DATE", "-SIZE", "ARRIVAL", "-SIZE"):  # the last two are kept
        assert await folders.order(view.folder, key, view.messages) is not None
    assert view.folder.octets - before < 26 * COUNT and mailstore.asked == [0, 0, 0]
    assert await folders.order(view.folder, "DATE", view.messages) is not None and mailstore.asked == [0, 0, 0, 0]


async def test_a_mailstore_of_the_release_before_has_no_order() -> None:
    mailstore = Mailstore()
    mailstore.without_order = True
    folders = SharedFolders(cast(Any, mailstore))
    view = await folders.open(UUID(int=1), "INBOX", read_only=False)
    assert view is not None and await folders.order(view.folder, "DATE", view.messages) is None
