"""Quota at RCPT (smtp-gateway), filing and references to bodies (queue-worker)."""

from typing import Annotated, Literal
from uuid import UUID

from mailkit.rpc.wire import Traceparent, Wire, at_most
from mailstore_api.wire.common import MOST_BODIES, MOST_ITEMS, VERSION

#: Flags of one filing.
MOST_FLAGS = 10


class RoomQuestion(Wire):
    mailbox_id: UUID
    size: int
    quota_limit: int
    limit_version: int


class RoomList(Wire):
    items: Annotated[list[RoomQuestion], at_most(MOST_ITEMS)]
    version: int = VERSION


class RoomAnswers(Wire):
    """`full`: over quota now (452 4.2.2); `never`: larger than the whole limit (552 5.2.2); `gone`: purged (550 5.1.1)."""

    items: list[Literal["room", "full", "never", "gone"]]
    version: int = VERSION


class Filing(Wire):
    """Filing of body `body_id` into a folder of `mailbox_id`.

    `prefix` has the recipient's own header lines (Return-Path, Delivered-To), with CRLF line ends, to precede the body.
    `received_at` in seconds since the epoch (INTERNALDATE). `exempt`: a bounce, never refused for quota.
    `folder`: the special use (RFC 6154) of the folder; "", or a use that no folder of the mailbox has, means INBOX.
    `flags`: those that the message gets, keywords (atoms) among them; as many keywords as the folder has bits for.
    """

    queue_id: UUID
    mailbox_id: UUID
    body_id: UUID
    prefix: bytes
    received_at: float
    quota_limit: int
    limit_version: int
    exempt: bool = False
    folder: str = ""
    flags: Annotated[list[str], at_most(MOST_FLAGS)] = []
    traceparent: Traceparent = ""


class FilingList(Wire):
    """`oldest_queue_id`: no older one is still in a queue, so older partitions of `filed` may be dropped (decision 3)."""

    items: Annotated[list[Filing], at_most(MOST_ITEMS)]
    oldest_queue_id: UUID | None = None
    version: int = VERSION


class FilingAnswer(Wire):
    """`filed` and `already` (a repeated hand-over) are both success.

    `full`: over quota, defer. `gone`: the mailbox was purged, 5.1.1. `no_space`: the disk is full, defer. `failed`: this
    item cannot be filed now, defer.
    """

    status: Literal["filed", "already", "full", "gone", "no_space", "failed"]


class FilingAnswers(Wire):
    items: list[FilingAnswer]
    version: int = VERSION


class ReferenceList(Wire):
    """Bodies of which the collector (decision 4) asks whether a mailbox still refers to them."""

    body_ids: Annotated[list[UUID], at_most(MOST_BODIES)]
    version: int = VERSION


class ReferenceAnswers(Wire):
    referenced: list[bool]
    version: int = VERSION
