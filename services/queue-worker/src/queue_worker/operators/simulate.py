"""POST /v1/simulate: where a message would go and when it would be tried, by the look-ups of live deliveries (decision 0085)."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from mailkit.process.clock import Clock
from mailkit.rpc.app import OPERATORS
from queue_worker.couriers import Relay, RemoteCourier
from queue_worker.couriers.targets import NoTarget
from queue_worker.couriers.tls_policy import OPPORTUNISTIC, VERIFIED
from queue_worker.delivery.relays import Relays
from queue_worker.delivery.schedule import LOCAL_PAUSES, next_attempt
from queue_worker.delivery.suppression import Suppression
from queue_worker.intake.enqueue import destination
from queue_worker.intake.flows import flow_of
from queue_worker.operators.filters import Text
from queue_worker.operators.records import Pause
from queue_worker.storage.actions import Actions

#: Most attempts of a plan that are shown; the schedule goes on to the end of S8.
MOST_ATTEMPTS = 100


class RouteRecipient(BaseModel):
    """A final target: a mailbox here, or (`mailbox` null) an address elsewhere."""

    address: Text
    mailbox: UUID | None = None


class RouteRequest(BaseModel):
    """A message that is not sent. `account`: the mailbox whose right to relay it uses."""

    model_config = ConfigDict(extra="forbid")

    account: UUID | None = None
    client: Text | None = None
    """The client's IP address."""
    sender: Text | Literal[""] = ""
    recipients: Annotated[list[RouteRecipient], Field(min_length=1, max_length=1000)]


class Host(BaseModel):
    """A host that would be tried, in this order; hosts of equal preference are in random order."""

    host: str
    address: str


class Route(BaseModel):
    """Where the recipients of one destination go, and when they are tried if each attempt fails for a while."""

    kind: Literal["local", "remote"]
    destination: str
    """The domain; "" for mailboxes here."""
    recipients: list[str]
    hosts: list[Host]
    port: int | None
    tls: str | None
    """How TLS is used with a remote host."""
    outcome: str | None
    """`failed` or `deferred` if no host can be tried now, with `status` and `reply`."""
    status: str | None
    reply: str | None
    pauses: list[Pause]
    suppressed: list[str]
    """Recipients that are returned at once, because they bounced hard (docs/decisions/0086)."""
    attempts: list[datetime]
    """Of a message accepted now; after the last one it is returned (S8)."""
    expires: datetime


def router(
    remote: RemoteCourier,
    actions: Actions,
    suppression: Suppression,
    relays: Relays,
    clock: Clock,
    lifetime: int,
    retry_first: int,
) -> APIRouter:
    """Return the route. `lifetime`: of a message (S8), `retry_first`: the delay of the first retry, in seconds."""
    routes = APIRouter(tags=["queue"], dependencies=OPERATORS)

    @routes.post("/v1/simulate", operation_id="simulate_routes")
    async def simulate(request: RouteRequest) -> list[Route]:
        """Say where a message would go and when it would be tried. Nothing is stored and no host is connected to."""
        now = clock.now()
        expires = now + timedelta(seconds=lifetime)
        groups: dict[str, list[str]] = {}
        for each in request.recipients:
            groups.setdefault("" if each.mailbox else destination(each.address), []).append(each.address)
        flow = flow_of(request.account, request.client, request.sender)
        return [
            await _route(
                domain,
                addresses,
                remote,
                relays.of(domain, flow, request.sender),
                await suppression.among(flow, addresses, now) if domain else [],
                [Pause.of(row) for row in await actions.pauses_of(request.account, [domain])],
                plan(now, expires, retry_first) if domain else filings(now, expires),
                expires,
            )
            for domain, addresses in groups.items()
        ]

    return routes


async def _route(
    domain: str,
    addresses: list[str],
    remote: RemoteCourier,
    relay: Relay | None,
    suppressed: list[str],
    pauses: list[Pause],
    attempts: list[datetime],
    expires: datetime,
) -> Route:
    hosts: list[Host] = []
    problem: NoTarget | None = None
    if domain:
        try:
            hosts = [Host(host=each.host, address=each.address) for each in await remote.hosts(domain, relay)]
        except NoTarget as none:
            problem = none
    final = problem is not None and problem.outcome.value == "failed"
    return Route(
        kind="remote" if domain else "local",
        destination=domain,
        recipients=addresses,
        hosts=hosts,
        port=(relay.port if relay and relay.host else remote.port) if domain else None,
        tls=(VERIFIED if relay and relay.verifies else OPPORTUNISTIC) if domain else None,
        outcome=problem.outcome.value if problem else None,
        status=problem.status if problem else None,
        reply=problem.text if problem else None,
        pauses=pauses,
        suppressed=suppressed,
        attempts=attempts[:1] if final else attempts,
        expires=expires,
    )


def plan(now: datetime, expires: datetime, retry_first: int) -> list[datetime]:
    """Return the times of the attempts on a remote host that is never reached, the first of them MOST_ATTEMPTS."""
    times = [now]
    while times[-1] < expires and len(times) < MOST_ATTEMPTS:
        times.append(next_attempt(times[-1], now, expires, retry_first))
    return times


def filings(now: datetime, expires: datetime) -> list[datetime]:
    """Return the times of the first attempts to file in a mailbox that never takes it; the last pause then repeats."""
    times = [now]
    for pause in LOCAL_PAUSES:
        times.append(min(times[-1] + timedelta(seconds=pause), expires))
    return times
