"""The change feed: mailboxes to watch, and their changes."""

from typing import Annotated
from uuid import UUID

from mailkit.rpc.wire import Wire, at_most
from mailstore_api.wire.common import MOST_WATCHED_A_FRAME, VERSION


class WatchedMailbox(Wire):
    mailbox_id: UUID
    proof: bytes


class WatchList(Wire):
    """Mailboxes whose changes the feed reports from now on, each until its proof expires; at most MOST_WATCHED_A_FRAME."""

    items: Annotated[list[WatchedMailbox], at_most(MOST_WATCHED_A_FRAME)]
    version: int = VERSION


class FeedNews(Wire):
    """Watched mailboxes that changed; `everything`: any may have (decision 8). An empty one is a heartbeat.

    A mailbox not watched before is reported at once, so that no earlier change is lost.
    """

    mailbox_ids: list[UUID]
    everything: bool = False
