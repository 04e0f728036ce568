"""Operators' API: the expunged messages of a mailbox, and their return (docs/decisions/0120)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mailkit.errors import BadRequest
from mailkit.rpc.app import OPERATORS
from mailstore.model.folder_names import LONGEST_NAME, good_name
from mailstore.reading.recoverable import RecoverableList
from mailstore.storage.recoverable import LAST
from mailstore.writing.undelete import MOST, UndeleteChoice, Undeleter

Number = Annotated[int, Field(ge=0, le=LAST)]
Seconds = Annotated[int, Field(ge=0, le=10**9)]


class DeletedMessage(BaseModel):
    """A message that can be undeleted until `until`, by its number. Subject and sender are cut after 200 characters."""

    number: int
    at: datetime
    until: datetime
    folder: str
    size: int
    internaldate: datetime
    subject: str
    sender: str


class UndeleteRequest(BaseModel):
    """Which messages come back: these `numbers`, or all, of `folder` only, deleted within `newer` seconds only."""

    model_config = ConfigDict(extra="forbid")

    numbers: list[Number] | None = Field(default=None, min_length=1, max_length=MOST)
    folder: str = Field(default="", max_length=LONGEST_NAME)
    newer: Seconds | None = None
    to: str = Field(default="", max_length=LONGEST_NAME)
    """The folder to which they come; else the one that they were in, or if it is gone, one of its name, or INBOX."""
    after: Number = 0
    """`next` of the answer before."""


class UndeleteAnswer(BaseModel):
    """How many messages came back. `lost`: their bodies are not there any more. `next`: call again with it as `after`, until it is null."""

    restored: int
    lost: int
    next: int | None


def router(recoverable: RecoverableList, undeleter: Undeleter) -> APIRouter:
    """Create the routes below /v1/mailboxes."""
    routes = APIRouter(prefix="/v1/mailboxes", tags=["mailboxes"], dependencies=OPERATORS)

    @routes.get("/{mailbox_id}/deleted", operation_id="deleted", response_model=list[DeletedMessage])
    async def deleted(
        mailbox_id: UUID,
        request: Request,
        response: Response,
        folder: Annotated[str, Query(max_length=LONGEST_NAME, description="only those of this folder")] = "",
        newer: Annotated[int | None, Query(ge=0, le=10**9, description="deleted within this number of seconds")] = None,
        before: Annotated[int, Query(ge=0, le=LAST, description="the number at which the page before ended")] = LAST,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> list[dict[str, Any]]:
        """List the messages that can be undeleted, the last deleted first. A page may have none: `Link` leads to the next one."""
        _require_names(folder)
        rows, following = await recoverable.page(mailbox_id, folder, newer, before, limit)
        if following is not None:
            url = request.url.include_query_params(before=following)
            response.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
        return [row._asdict() for row in rows]

    @routes.post("/{mailbox_id}/undelete", operation_id="undelete")
    async def undelete(mailbox_id: UUID, asked: UndeleteRequest) -> UndeleteAnswer:
        """Bring one batch of messages back, under new UIDs: all of it or nothing."""
        _require_names(asked.folder, asked.to)
        if asked.numbers is not None and (asked.folder or asked.newer is not None):
            raise BadRequest("name messages by numbers, or describe them, not both")
        wanted = UndeleteChoice(asked.numbers, asked.folder, asked.newer, asked.to, asked.after)
        done = await undeleter.undelete(mailbox_id, wanted)
        return UndeleteAnswer(restored=done.restored, lost=done.lost, next=done.following)

    return routes


def _require_names(*names: str) -> None:
    if not all(name == "" or good_name(name) for name in names):
        raise BadRequest("no folder has such a name")
