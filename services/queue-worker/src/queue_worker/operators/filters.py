"""Which messages and recipients an operator means."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from queue_worker.storage.records import Filter

#: What a column can hold: no NUL.
Text = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00]*$")]
#: A hundred years, in seconds.
Age = Annotated[int, Field(ge=0, le=3_200_000_000)]


class Asked(BaseModel):
    """A filter: what is given all has to be true, of a message and of one of its recipients."""

    model_config = ConfigDict(extra="forbid")

    sender: Text | None = None
    recipient: Text | None = None
    """The address, or what the sender wrote."""
    domain: Text | None = None
    """Of a recipient."""
    account: UUID | None = None
    """The mailbox whose login or grant sent it."""
    state: Literal["waiting", "claimed", "held"] | None = None
    older: Age | None = None
    """Accepted at least this number of seconds ago."""
    newer: Age | None = None
    """Accepted at most this number of seconds ago."""
    reply: Text | None = None
    """A text within the last reply, in any case."""


def asked(
    sender: Text | None = Query(default=None),
    recipient: Text | None = Query(default=None),
    domain: Text | None = Query(default=None, description="of a recipient"),
    account: UUID | None = Query(default=None, description="the mailbox whose login or grant sent it"),
    state: Literal["waiting", "claimed", "held"] | None = None,
    older: Age | None = Query(default=None, description="accepted at least this number of seconds ago"),
    newer: Age | None = Query(default=None, description="accepted at most this number of seconds ago"),
    reply: Text | None = Query(default=None, description="a text within the last reply"),
) -> Asked:
    """Return the filter of a list's query."""
    return Asked(
        sender=sender,
        recipient=recipient,
        domain=domain,
        account=account,
        state=state,
        older=older,
        newer=newer,
        reply=reply,
    )


def wanted(given: Asked, now: datetime, ids: Sequence[UUID] | None = None) -> Filter:
    """Return the filter that `given` stands for at `now`."""
    return Filter(
        sender=given.sender,
        recipient=given.recipient,
        domain=given.domain and given.domain.lower(),
        account=given.account,
        state=given.state,
        until=None if given.older is None else now - timedelta(seconds=given.older),
        since=None if given.newer is None else now - timedelta(seconds=given.newer),
        reply=given.reply,
        ids=list(ids) if ids else None,
    )
