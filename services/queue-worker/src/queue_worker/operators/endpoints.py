"""The operators' API: messages under way, the state of one message, actions on many, and pauses."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from mailkit.errors import BadRequest, NotFound
from mailkit.ids import new_id
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.rpc.app import OPERATORS
from queue_worker.delivery.shaping import Shaping
from queue_worker.operators.bulk import Bulk
from queue_worker.operators.filters import Asked, Text, asked, wanted
from queue_worker.operators.records import (
    Acted,
    ActionRequest,
    Attempt,
    MessageDetail,
    Pause,
    PauseRequest,
    QueuedMessage,
    Recipient,
)
from queue_worker.operators.shaping import held_back
from queue_worker.operators.trace import traced
from queue_worker.storage.actions import Actions
from queue_worker.storage.operations import OperatorAction
from queue_worker.storage.records import Filter, Records
from queue_worker.storage.trace import Traces

log = get_logger()

#: Most recipients that the list names of a message, and most earlier attempts that are shown of a recipient.
NAMED = 20
ATTEMPTS = 100
#: Most recipients that one page of the list looks at, besides those of its last message.
WINDOW = 2000
NONE = UUID(int=0)
#: What a bounce says that an operator asked for without a reason.
RETURNED = "An administrator of this service returned this message. (#5.7.1)"


def router(store: Records, traces: Traces, actions: Actions, bulk: Bulk, shaping: Shaping, clock: Clock) -> APIRouter:
    """Return the routes under /v1/queue."""
    routes = APIRouter(prefix="/v1/queue", tags=["queue"], dependencies=OPERATORS)

    @routes.get("", operation_id="list_queue")
    async def list_queue(
        request: Request,
        response: Response,
        given: Annotated[Asked, Depends(asked)],
        after: UUID = Query(default=NONE, description="the last id of the page before"),
        limit: int = Query(default=200, ge=1, le=1000),
    ) -> list[QueuedMessage]:
        """List messages under way, oldest first.

        A page looks at some thousand recipients at most and may have fewer messages than `limit`, even none: while there
        are more, `Link` leads to the next page.
        """
        chosen = wanted(given, clock.now())
        window = await store.window(after, chosen, min(WINDOW, limit) if chosen == Filter() else WINDOW)
        ids, last = await store.matching_messages(window, limit + 1), window.end
        if len(ids) > limit:
            ids = ids[:limit]
            last = ids[-1]
        if last is not None:
            following = request.url.include_query_params(after=last.hex)
            response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
        return [QueuedMessage.of(row) for row in await store.messages(ids, NAMED)] if ids else []

    @routes.post("/actions", operation_id="act_on_queue")
    async def act(request: ActionRequest) -> Acted:
        """Change one batch of the recipients that match; repeat with `next` as `after` until it is null.

        Each batch may be repeated: what has been changed already matches no more. `dry_run` counts and changes nothing.
        """
        if not (request.ids or request.filter or request.all):
            raise BadRequest("name ids or a filter, or say all")
        if request.ids and (unknown := await store.unknown(request.ids)):
            raise NotFound(f"no message {unknown.hex} is under way or was within the last week")
        if (request.action == "route") != (request.route is not None):
            raise BadRequest("name a route with the action route, and with no other")
        name = (request.route or "").lower()
        if name and not await actions.has_route(name):
            raise NotFound(f"there is no route named {name}; `postrider route add --name {name}` makes one")
        chosen = wanted(request.filter or Asked(), clock.now(), request.ids)
        reason = request.reason or (RETURNED if request.action == "bounce" else "")
        said = request.filter.model_dump_json(exclude_none=True) if request.filter else None
        operation = OperatorAction(new_id(), clock.now(), request.action, request.actor, reason, said)
        if request.action == "route":
            operation = replace(operation, kind="named", value=name)
        done = await bulk.batch(operation, chosen, request.after or NONE, dry_run=request.dry_run)
        if not request.dry_run and (done.recipients or done.next is None):
            log.info(
                "queue_changed",
                action=request.action,
                actor=request.actor,
                filter=request.filter.model_dump(exclude_none=True) if request.filter else None,
                ids=len(request.ids or ()),
                recipients=done.recipients,
                busy=done.busy,
            )
        return Acted.of(done)

    def _operation(action: str, of: PauseRequest) -> OperatorAction:
        reason = of.reason if action == "pause" or "reason" in of.model_fields_set else ""
        return OperatorAction(new_id(), clock.now(), action, of.actor, reason, kind=of.kind, value=of.key())

    @routes.get("/pauses", operation_id="list_pauses")
    async def pauses(
        after_kind: Text | None = Query(default=None, description="of the last pause of the page before"),
        after_value: Text | None = Query(default=None, description="of the same"),
        limit: int = Query(default=1000, ge=1, le=1000),
    ) -> list[Pause]:
        """List what is not tried: everything, destinations, accounts."""
        return [Pause.of(row) for row in await actions.pauses((after_kind or "", after_value or ""), limit)]

    @routes.put("/pauses", operation_id="pause")
    async def pause(request: PauseRequest) -> Pause:
        """Try no mail of a destination, of an account, or none at all, what is accepted later included."""
        made = await actions.pause(_operation("pause", request))
        log.info("queue_changed", action="pause", actor=request.actor, filter={made.kind: made.value})
        return Pause.of(made)

    @routes.post("/pauses/end", operation_id="resume")
    async def resume(request: PauseRequest) -> Pause:
        """End a pause: what is due is tried within seconds."""
        ended = await actions.resume(_operation("resume", request))
        if ended is None:
            raise NotFound("there is no such pause")
        log.info("queue_changed", action="resume", actor=request.actor, filter={ended.kind: ended.value})
        return Pause.of(ended)

    @routes.get("/{queue_id}", operation_id="show_message")
    async def show(
        queue_id: UUID,
        after: int = Query(default=-1, ge=-1, le=32767, description="`next` of the page before"),
        limit: int = Query(default=1000, ge=1, le=1000, description="recipients at most"),
    ) -> MessageDetail:
        """Show the state of one message, who sent it and what happened to it, also for a week after it left the queue."""
        message = await store.message(queue_id)
        under_way = await store.under_way(queue_id, after, limit + 1)
        finished = await store.finished(queue_id, after, limit + 1)
        known = message or (finished[0] if finished else None)
        if known is None:
            raise NotFound(f"no message {queue_id.hex} is under way or was within the last week")
        numbers = sorted({row.n for row in (*under_way, *finished)})
        shown = numbers[:limit]
        attempts: dict[int, list[Attempt]] = {}
        for attempt in await store.attempts(queue_id, shown, ATTEMPTS):
            attempts.setdefault(attempt.n, []).append(Attempt.of(attempt))
        recipients = {row.n: Recipient.finished(row, attempts.get(row.n, [])) for row in finished}
        if message:
            recipients |= {
                row.n: Recipient.under_way(row, message.expires, attempts.get(row.n, [])) for row in under_way
            }
        now = clock.now()
        for one in recipients.values():
            if one.kind == "remote" and one.state == "waiting":
                one.held_back = held_back(shaping, one.address, one.next_attempt, now)
        trace = await traced(traces, [queue_id], shaping, clock)
        domains = sorted({row.address.rpartition("@")[2].lower() for row in under_way})
        return MessageDetail(
            id=queue_id.hex,
            sender=known.mail_from,
            size=message.size if message else None,
            first_seen=known.first_seen,
            expires=message.expires if message else None,
            recipients=[recipients[n] for n in shown],
            next=shown[-1] if len(numbers) > limit else None,
            account=message.account if message else None,
            pauses=[Pause.of(row) for row in await actions.pauses_of(message.account, domains)] if message else [],
            trace=trace[0] if trace else None,
        )

    return routes
