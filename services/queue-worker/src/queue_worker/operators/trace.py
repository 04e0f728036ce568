"""GET /v1/trace: who sent a message, how it came, what happened to it since, and why (docs/decisions/0071)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from mailkit.ids import id_floor
from mailkit.process.clock import Clock
from mailkit.rpc.app import OPERATORS
from queue_worker.delivery.shaping import Shaping
from queue_worker.operators.filters import Text
from queue_worker.operators.interventions import MOST_KEYS, NOW, concerning, keys_of
from queue_worker.operators.shaping import held_back
from queue_worker.storage import trace as rows
from queue_worker.storage.trace import Act, Traces, Wanted
from queue_worker.storage.verdicts import of_text

#: Messages that one page looks at without an index.
WINDOW = 5000
#: Recipients of a message whose events are shown; `postrider queue show` pages through all.
NAMED = 20
LAST = UUID(int=2**128 - 1)


class TraceVerdict(BaseModel):
    """What one method found about a message from outside."""

    method: str
    """spf, dkim, arc or dmarc; or the scanner."""
    result: str
    domain: str
    reason: str
    record: str
    """The text in the DNS that caused the result, found at `record_name`."""
    record_name: str


class TraceEvent(BaseModel):
    """One event of a message."""

    at: datetime | None
    """When; of a waiting recipient, when it is tried next."""
    event: str
    """`accepted`; an attempt `deferred` or `in_doubt`; `delay_noted`: the sender was notified; `delivered`, `failed`, `expired` or `removed`;
    `waiting`, `claimed` or `held` now.
    Of operators: `hold`, `release`, `retry`, `remove`, `bounce`, `expire`; `pause`, `resume`, `route`, `unroute`."""
    n: int | None = None
    """The number of the recipient."""
    recipient: str | None = None
    status: str | None = None
    reply: str | None = None
    remote_host: str | None = None
    connection: str | None = None
    """Of an attempt: the host's address that was tried, TLS version and cipher, and whether its name was verified."""
    actor: str | None = None
    """The operator whose action it is."""
    reason: str | None = None
    """The reason that the operator gave."""
    concerns: str | None = None
    """Of a pause or a route: the mail that it is for."""
    forwarded_by: str | None = None
    """Of a recipient: the address here whose forward or catch-all leads to it."""
    sender: str | None = None
    """Of a recipient: the envelope sender of its copy, if it is not the message's."""
    held_back: str | None = None
    """Of a waiting recipient that is due: why it is not tried (docs/decisions/0101)."""

    @classmethod
    def of(cls, row: rows.Event) -> Self:
        return cls(
            at=row.at,
            event=row.event,
            n=row.n,
            recipient=row.recipient,
            status=row.status or None,
            reply=row.reply or None,
            remote_host=row.remote_host,
            connection=row.connection,
            forwarded_by=row.via,
            sender=row.sender,
        )

    @classmethod
    def done(cls, act: Act) -> Self:
        return cls(
            at=act.at,
            event=act.action,
            n=act.n,
            recipient=act.address,
            actor=act.actor,
            reason=act.reason or None,
            concerns=f"{act.kind} {act.value}".strip() if act.kind else None,
        )


class Trace(BaseModel):
    """One message: who sent it and how it came, and its events in order."""

    id: str
    at: datetime | None
    sender: str | None
    size: int | None
    by: str | None
    """The right to relay: `auth` (SMTP AUTH), `grant` (OPEN-SMTP) or `none` (mail for our mailboxes)."""
    account: UUID | None
    """The mailbox whose login or grant it was; null if none was used."""
    account_address: str | None
    granted_at: datetime | None
    """When the login was that gave the grant."""
    client_address: str | None
    listener: str | None
    tls: str | None
    helo: str | None
    message_id: str | None
    bounce_of: str | None
    """The message whose non-delivery it reports; it is then our own."""
    verdicts: list[TraceVerdict]
    """Of a message from outside, for as far as it was looked at."""
    events: list[TraceEvent]

    @classmethod
    def of(cls, row: rows.Accepted, events: list[rows.Event], acts: list[Act]) -> Self:
        told = [*map(TraceEvent.done, acts), *map(TraceEvent.of, events)]
        told.sort(key=lambda e: (e.event in NOW, e.at.timestamp() if e.at else 0.0, -1 if e.n is None else e.n))
        names = (
            "at",
            "size",
            "by",
            "account",
            "account_address",
            "granted_at",
            "client_address",
            "listener",
            "tls",
            "helo",
        )
        return cls(
            id=row.id.hex,
            sender=row.mail_from,
            message_id=row.header_id,
            bounce_of=row.bounce_of.hex if row.bounce_of else None,
            verdicts=[TraceVerdict(**each) for each in of_text(row.verdicts)],
            events=[TraceEvent(at=row.at, event="accepted"), *told],
            **{name: getattr(row, name) for name in names},
        )


def router(store: Traces, shaping: Shaping, clock: Clock) -> APIRouter:
    """Return the route /v1/trace."""
    routes = APIRouter(tags=["trace"], dependencies=OPERATORS)

    @routes.get("/v1/trace", operation_id="trace")
    async def trace(
        request: Request,
        response: Response,
        id: Annotated[list[UUID] | None, Query(max_length=20, description="queue ids")] = None,
        account: UUID | None = Query(default=None, description="the mailbox whose login or grant sent it"),
        message_id: Text | None = Query(default=None, description="Message-ID of its header, without < and >"),
        address: Text | None = Query(default=None, description="the sender's, a recipient's, or that of a forward"),
        client: Text | None = Query(default=None, description="the client's IP address"),
        host: Text | None = Query(default=None, description="the remote host that it was sent to"),
        by: Literal["auth", "grant", "none"] | None = Query(default=None, description="the right to relay: S3, S2, S1"),
        newer: int | None = Query(default=None, ge=0, le=10**9, description="accepted within this number of seconds"),
        older: int | None = Query(
            default=None, ge=0, le=10**9, description="accepted longer ago than this number of seconds"
        ),
        before: UUID | None = Query(default=None, description="the last id of the page before"),
        limit: int = Query(default=100, ge=1, le=500),
    ) -> list[Trace]:
        """Trace messages, the latest first, for as long as the history is kept.

        By account or Message-ID an index finds them; a page by anything else looks at some thousand messages and may be
        empty: while there are more, `Link` leads to the next page.
        """
        last = None
        if id:
            ids = id
        else:
            now = datetime.now(UTC).timestamp()  # not the clock: the ids do not have a test's offset
            low = id_floor(now - newer) if newer is not None else UUID(int=0)
            high = id_floor(now - older) if older is not None else LAST
            wanted = Wanted(account, message_id, address.lower() if address else None, client, host, by)
            ids, last = await store.matching(low, min(high, before or high), wanted, WINDOW, limit)
        if last is not None:
            following = request.url.include_query_params(before=last.hex)
            response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
        return await traced(store, ids, shaping, clock)

    return routes


async def traced(store: Traces, ids: Sequence[UUID], shaping: Shaping, clock: Clock) -> list[Trace]:
    """Return the traces of the messages `ids`, the latest first, with what operators did to them."""
    found = await store.accepted(ids)
    events: dict[UUID, list[rows.Event]] = {row.id: [] for row in found}
    for event in await store.events(list(events), NAMED):
        events[event.message_id].append(event)
    acts: dict[UUID, list[Act]] = {row.id: [] for row in found}
    for act in await store.acts(list(events), NAMED):
        if act.message_id is not None:
            acts[act.message_id].append(act)
    keys = sorted({key for row in found for key in keys_of(row, events[row.id])})[:MOST_KEYS]
    standing: dict[tuple[str, str], list[Act]] = {}
    for act in await store.standing(keys):
        standing.setdefault((act.kind or "", act.value or ""), []).append(act)
    made = [Trace.of(row, events[row.id], acts[row.id] + concerning(row, events[row.id], standing)) for row in found]
    now = clock.now()
    for each in (each for trace in made for each in trace.events if each.event == "waiting" and each.recipient):
        each.held_back = held_back(shaping, each.recipient or "", each.at, now)
    return made
