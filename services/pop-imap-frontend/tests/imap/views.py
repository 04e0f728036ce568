"""Views of folders for tests, without mailstore."""

from array import array
from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from mailstore_api.wire import FolderSnapshot
from pop_imap_frontend.imap.folder.messages import FolderMessages
from pop_imap_frontend.imap.folder.shared import FolderState, SharedFolder
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.responses import FlagNames


def view_of(uids: Iterable[int], *, uidnext: int, recent_from: int = 0, read_only: bool = False) -> FolderView:
    """Return the view of a session that has selected a folder with unseen messages of `uids`, at MODSEQ 1."""
    ascending = array("I", uids)
    messages = FolderMessages().with_new(ascending, array("Q", [0]) * len(ascending))
    state = FolderState(1, uidnext, FlagNames([]), messages)
    folder = SharedFolder(cast(Any, None), UUID(int=1), "INBOX", 1, state)
    return FolderView(folder, FolderSnapshot("ok", 1, 1, uidnext, 1, recent_from), state, read_only)
