"""What sessions of one folder cost: one sequence of its messages, whatever their number."""

import tracemalloc
from array import array
from typing import Any, cast
from uuid import UUID

from mailstore_api.wire import SEEN, Changes, FolderSnapshot, OpenFolder
from pop_imap_frontend.imap.folder.cache import SharedFolders

COUNT = 100_000
SESSIONS = 50
#: Limit of the octets of a session beyond the folder that it shares.
MOST_OF_A_SESSION = 100_000


class Mailstore:
    """A folder of COUNT messages, every second UID, of which `changed` says what became of it."""

    def __init__(self) -> None:
        self.modseq = 1
        self.whole = 0

    async def open_folder(self, question: OpenFolder) -> FolderSnapshot:
        head = FolderSnapshot("ok", 1, 1, 2 * COUNT, self.modseq)
        if question.known_modseq == self.modseq:
            return FolderSnapshot(*_fields(head), [], since=self.modseq, messages=COUNT, unseen=COUNT)
        self.whole += 1
        uids = array("I", range(1, 2 * COUNT, 2))
        return FolderSnapshot(*_fields(head)[:6], uids.tobytes(), bytes(8 * COUNT), [])

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
