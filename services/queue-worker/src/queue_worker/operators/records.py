"""The records of the operators' API."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from mailkit.errors import BadRequest
from queue_worker.models import HELD
from queue_worker.operators.bulk import Batch
from queue_worker.operators.filters import Asked, Text
from queue_worker.operators.trace import Trace
from queue_worker.storage import actions as changes
from queue_worker.storage import records as rows


class QueuedRecipient(BaseModel):
    """One recipient under way, in the list."""

    address: str
    original: str
    """What the sender wrote; another address when it was forwarded."""
    state: str
    next_attempt: datetime | None
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
    """`claimed` while one of the recipients is being tried, else `waiting`; `held` if all recipients are."""
    next_attempt: datetime | None
    """Null if all recipients are held."""
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
            next_attempt=None if row.due == HELD else row.due,
            in_doubt=row.in_doubt,
            state=next(state for state in ("claimed", "waiting", "held") if state in row.states),
            reply=row.reply or "",
            named=[
                QueuedRecipient(
                    address=address,
                    original=original,
                    state=state,
                    next_attempt=None if due == HELD else due,
                    reply=reply,
                )
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
    """One recipient: under way (`waiting`, `claimed`, `held`) or finished (`delivered`, `failed`, `expired`, `removed`)."""

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
    held_at: datetime | None = None
    """Since when an operator holds it: it does not expire, and is tried once after its release also when `expires` is past."""
    held_back: str | None = None
    """Why it is not tried though it is due: the limits of its domain's mail hosts (docs/decisions/0101)."""

    @classmethod
    def under_way(cls, row: rows.UnderWay, expires: datetime, attempts: list[Attempt]) -> Self:
        held = row.held_at is not None and row.state == "waiting"
        return cls(
            **_common(row) | ({"state": "held"} if held else {}),
            next_attempt=row.due if row.state == "waiting" and not held else None,
            expires=expires,
            finished_at=None,
            attempts=attempts,
            held_at=row.held_at if held else None,
        )

    @classmethod
    def finished(cls, row: rows.Finished, attempts: list[Attempt]) -> Self:
        return cls(**_common(row), next_attempt=None, expires=None, finished_at=row.finished_at, attempts=attempts)


def _common(row: rows.Recipient) -> dict[str, Any]:
    names = ("address", "original", "state", "tries", "in_doubt", "status", "reply", "remote_host")
    return {name: getattr(row, name) for name in names} | {"kind": "local" if row.local else "remote"}


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
    account: UUID | None = None
    """The mailbox whose login or grant sent it."""
    pauses: list["Pause"] = []
    """Pauses that keep it, or some of its recipients, from being tried: it does not expire while they last."""
    trace: Trace | None = None
    """Who sent it and how it came, and what happened to its first recipients, in order; null beyond the history."""


class ActionRequest(BaseModel):
    """An action on the recipients that match all of what is given; `all` stands for no filter."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["hold", "release", "retry", "remove", "bounce", "expire", "route"]
    ids: Annotated[list[UUID], Field(max_length=1000)] | None = None
    filter: Asked | None = None
    all: bool = False
    reason: Text | None = None
    """Why, for the trace; what a bounce says."""
    actor: Text = "operator"
    """Who asks, for the log and the trace."""
    route: Text | Literal[""] | None = None
    """For `route`: the name of the route that remote recipients take, "" for none. They are tried now unless they are held."""
    dry_run: bool = False
    after: UUID | None = None
    """`next` of the batch before."""


class Acted(BaseModel):
    """The result of one batch."""

    messages: int
    recipients: int
    """How many recipients were changed, or with `dry_run` would be."""
    busy: int
    """How many more match and are being tried at the moment: they are left alone."""
    next: str | None
    """`after` of the batch that follows; null if this was the last."""

    @classmethod
    def of(cls, done: Batch) -> Self:
        return cls(
            messages=done.messages,
            recipients=done.recipients,
            busy=done.busy,
            next=done.next.hex if done.next else None,
        )


class PauseRequest(BaseModel):
    """A pause to begin or to end."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["all", "destination", "account", "disabled"]
    """`disabled`: an account's, because its mailbox is disabled; an operator's own pause of the account is apart from it."""
    value: Text | None = None
    """The domain or the mailbox's id; none for all."""
    reason: Text = "not given"
    actor: Text = "operator"
    """Who asks, for the log and the trace."""

    def key(self) -> str:
        """Return the value as it is stored. Raises BadRequest."""
        if (self.kind == "all") == bool(self.value):
            raise BadRequest("a destination is a domain, an account is a mailbox's id, and all has no value")
        if self.kind not in ("account", "disabled"):
            return (self.value or "").lower()
        try:
            return str(UUID(self.value or ""))
        except ValueError as error:
            raise BadRequest("an account is a mailbox's id") from error


class Pause(BaseModel):
    """Mail that is not tried: everything, a destination's, or an account's."""

    kind: str
    value: str
    since: datetime
    reason: str

    @classmethod
    def of(cls, row: changes.Paused) -> Self:
        return cls(kind=row.kind, value=row.value, since=row.since, reason=row.reason)
