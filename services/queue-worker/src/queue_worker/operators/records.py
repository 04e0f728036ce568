"""The records of the operators' API."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from queue_worker.storage import records as rows


class QueuedRecipient(BaseModel):
    """One recipient under way, in the list."""

    address: str
    original: str
    """What the sender wrote; another address when it was forwarded."""
    state: str
    next_attempt: datetime
    reply: str


class QueuedMessage(BaseModel):
    """One message under way."""

    id: str
    sender: str
    size: int
    first_seen: datetime
    expires: datetime
    recipients: int
    """How many are still under way."""
    state: str
    """`claimed` while one of the recipients is being tried, else `waiting`."""
    next_attempt: datetime
    in_doubt: int
    """Attempts that may have delivered it: the answer was lost."""
    reply: str
    """The last reply of the first recipient that has one."""
    named: list[QueuedRecipient]
    """The first recipients that are still under way."""
    unnamed: int
    """How many recipients under way `named` leaves out."""

    @classmethod
    def of(cls, row: rows.Listed) -> Self:
        return cls(
            id=row.id.hex,
            sender=row.mail_from,
            size=row.size,
            first_seen=row.first_seen,
            expires=row.expires,
            recipients=row.recipients,
            next_attempt=row.due,
            in_doubt=row.in_doubt,
            state="claimed" if "claimed" in row.states else "waiting",
            reply=row.reply or "",
            named=[
                QueuedRecipient(address=address, original=original, state=state, next_attempt=due, reply=reply)
                for address, original, state, due, reply in zip(
                    row.addresses, row.originals, row.each_state, row.each_due, row.each_reply, strict=True
                )
            ],
            unnamed=row.recipients - len(row.addresses),
        )


class Attempt(BaseModel):
    """One earlier attempt, which was not final."""

    attempt: int
    at: datetime
    outcome: str
    status: str
    reply: str
    remote_host: str | None

    @classmethod
    def of(cls, row: rows.Attempt) -> Self:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class Recipient(BaseModel):
    """One recipient: under way (`waiting`, `claimed`) or finished (`delivered`, `failed`, `expired`)."""

    address: str
    original: str
    """What the sender wrote; another address when it was forwarded."""
    kind: str
    """`local` (a mailbox of this service) or `remote`."""
    state: str
    next_attempt: datetime | None
    expires: datetime | None
    tries: int
    in_doubt: int
    status: str
    reply: str
    """The last reply, unwrapped, one string; a refusal's lines (S13) are separated by newlines."""
    remote_host: str | None
    finished_at: datetime | None
    attempts: list[Attempt]

    @classmethod
    def under_way(cls, row: rows.UnderWay, expires: datetime, attempts: list[Attempt]) -> Self:
        return cls(
            **_common(row),
            next_attempt=row.due if row.state == "waiting" else None,
            expires=expires,
            finished_at=None,
            attempts=attempts,
        )

    @classmethod
    def finished(cls, row: rows.Finished, attempts: list[Attempt]) -> Self:
        return cls(**_common(row), next_attempt=None, expires=None, finished_at=row.finished_at, attempts=attempts)


def _common(row: rows.Recipient) -> dict[str, Any]:
    names = ("address", "original", "state", "tries", "in_doubt", "status", "reply", "remote_host")
    return {name: getattr(row, name) for name in names} | {"kind": "local" if row.mailbox_id else "remote"}


class MessageDetail(BaseModel):
    """The state of one message and its recipients."""

    id: str
    sender: str
    size: int | None
    first_seen: datetime
    expires: datetime | None
    recipients: list[Recipient]
    next: int | None
    """The value of `after` for the recipients that follow; null if there are none."""


class Retried(BaseModel):
    recipients: int
    """How many recipients are tried now."""
