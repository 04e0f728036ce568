"""The feed of changes to watched mailboxes."""

from typing import Annotated
from uuid import UUID

from mailkit.wire import Wire, at_most
from mailstore_client.wire.common import MOST_WATCHED_A_FRAME, VERSION


class WatchedMailbox(Wire):
    mailbox_id: UUID
    proof: bytes


class WatchList(Wire):
    """Mailboxes whose changes the feed reports from now on, each until its proof runs out; up to MOST_WATCHED_A_FRAME."""

    items: Annotated[list[WatchedMailbox], at_most(MOST_WATCHED_A_FRAME)]
    version: int = VERSION


class FeedNews(Wire):
    """Watched mailboxes in which something changed; `everything`: assume all did (decision 8). An empty one is a heartbeat.
    A mailbox that was not watched before is named at once: what changed before is not lost between the two."""

    mailbox_ids: list[UUID]
    everything: bool = False
