"""Operators' view: what is under way, where a message is and why, and "try now"."""

from datetime import datetime
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from mailkit.clock import Clock
from mailkit.errors import NotFound
from mailkit.web import Tokens
from queue_worker.delivery import Delivery
from queue_worker.storage.queue import sql


class QueuedMessage(BaseModel):
    """One message under way."""

    id: str
    sender: str
    size: int
    first_seen: datetime
    expires: datetime
    recipients: int
    next_attempt: datetime
    reply: str


class QueuedRecipient(BaseModel):
    """One recipient: under way (`waiting`, `claimed`) or finished (`delivered`, `failed`, `expired`)."""

    address: str
    original: str
    state: str
    next_attempt: datetime | None
    tries: int
    in_doubt: int
    status: str
    reply: str
    """The last reply, unwrapped, one string."""
    remote_host: str | None
    expires: datetime | None
    finished_at: datetime | None


class MessageDetail(BaseModel):
    """Where one message is and why."""

    id: str
    sender: str
    size: int | None
    first_seen: datetime
    expires: datetime | None
    recipients: list[QueuedRecipient]


class Retried(BaseModel):
    recipients: int


def router(pool: asyncpg.Pool, clock: Clock, delivery: Delivery, tokens: Tokens) -> APIRouter:
    """The routes under /v1/queue."""
    routes = APIRouter(prefix="/v1/queue", tags=["queue"], dependencies=[Depends(tokens.only("admin"))])

    @routes.get("", operation_id="list_queue")
    async def list_queue(
        after: UUID = UUID(int=0), limit: int = Query(default=1000, ge=1, le=10000)
    ) -> list[QueuedMessage]:
        return [
            QueuedMessage(
                id=row["id"].hex, sender=row["mail_from"], size=row["size"], first_seen=row["first_seen"], expires=row["expires"],
                recipients=row["recipients"], next_attempt=row["due"], reply=row["reply"] or "",
            )
            for row in await pool.fetch(sql.list_messages, after, limit)
        ]  # fmt: skip

    @routes.get("/{queue_id}", operation_id="show_message")
    async def show(queue_id: UUID) -> MessageDetail:
        message = await pool.fetchrow(sql.show_message, queue_id)
        recipients = [
            QueuedRecipient(
                address=row["address"], original=row["original"], state=row["state"], next_attempt=row["due"], tries=row["tries"],
                in_doubt=row["in_doubt"], status=row["status"], reply=row["reply"], remote_host=row["remote_host"],
                expires=message["expires"] if message else None, finished_at=None,
            )
            for row in await pool.fetch(sql.show_recipients, queue_id)
        ]  # fmt: skip
        history = await pool.fetch(sql.show_finished, queue_id)
        recipients += [
            QueuedRecipient(
                address=row["address"], original=row["address"], state=row["state"], next_attempt=None, tries=row["tries"],
                in_doubt=row["in_doubt"], status=row["status"], reply=row["reply"], remote_host=row["remote_host"], expires=None,
                finished_at=row["finished_at"],
            )
            for row in history
        ]  # fmt: skip
        known = message or (history[0] if history else None)
        if known is None:
            raise NotFound(f"no message {queue_id.hex} is under way or was within the last week")
        return MessageDetail(
            id=queue_id.hex, sender=known["mail_from"], size=message["size"] if message else None,
            first_seen=known["first_seen"], expires=message["expires"] if message else None, recipients=recipients,
        )  # fmt: skip

    @routes.post("/retry", operation_id="retry_all")
    async def retry_all() -> Retried:
        return await _retry(None)

    @routes.post("/{queue_id}/retry", operation_id="retry_message")
    async def retry(queue_id: UUID) -> Retried:
        if await pool.fetchrow(sql.show_message, queue_id) is None:
            raise NotFound(f"no message {queue_id.hex} is under way")
        return await _retry(queue_id)

    async def _retry(queue_id: UUID | None) -> Retried:
        rows = await pool.fetch(sql.retry_now, queue_id, clock.now())
        delivery.wake()
        return Retried(recipients=len(rows))

    return routes
