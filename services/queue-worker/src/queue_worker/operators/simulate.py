"""POST /v1/simulate: where a message would go and when it would be tried, by the look-ups of live deliveries (decision 0085)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from mailkit.process.clock import Clock
from mailkit.rpc.app import OPERATORS
from queue_worker.couriers import Relay, RemoteCourier
from queue_worker.couriers.targets import HostAddress, NoTarget
from queue_worker.delivery.relays import Relays
from queue_worker.delivery.schedule import LOCAL_PAUSES, next_attempt
from queue_worker.delivery.shaping import Shaping
from queue_worker.delivery.suppression import Suppression
from queue_worker.intake.enqueue import destination
from queue_worker.intake.flows import flow_of
from queue_worker.models import Outcome
from queue_worker.operators.filters import Text
from queue_worker.operators.records import Pause
from queue_worker.operators.shaping import ShapedOperator, shaped_operator
from queue_worker.storage.actions import Actions
from queue_worker.tls.policy import OPPORTUNISTIC

#: Most attempts of a plan that are shown; the schedule goes on to the end of S8.
MOST_ATTEMPTS = 100
#: Domains that are looked up at once, and the seconds for all of them.
AT_ONCE = 20
LOOK_SECONDS = 30.0
#: What is said of a domain whose look-up had not ended by then; live mail would wait for it.
UNKNOWN = NoTarget(Outcome.deferred, "4.4.3", f"The hosts were not found within {LOOK_SECONDS:.0f} s.")


Group = tuple[str, bool]
"""A destination, "" for mailboxes here, and whether a forward leads to it."""


class RouteRecipient(BaseModel):
    """A final target: a mailbox here, or (`mailbox` null) an address elsewhere."""

    address: Text
    mailbox: UUID | None = None
    via: Text | Literal[""] = ""
    """The address whose forward or catch-all leads to it."""


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
    tls: str
    """How TLS is used with it, and the record that asks for it."""


class Source(BaseModel):
    """A HELO name and the addresses that mail leaves from; null and empty: those of the service and its machine."""

    helo: str | None
    addresses: list[str]


class Route(BaseModel):
    """Where the recipients of one destination go, and when they are tried if each attempt fails for a while."""

    kind: Literal["local", "remote"]
    destination: str
    """The domain; "" for mailboxes here."""
    recipients: list[str]
    route: str | None
    """The route that an operator set for it, by kind and value; null without one."""
    sources: list[Source]
    """What it may leave by: of several, a message has the one that its id says."""
    shaping: ShapedOperator | None
    """The operator of the hosts, whose limits hold mail back (docs/decisions/0101)."""
    hosts: list[Host]
    port: int | None
    tls: str | None
    """How TLS is used with the first of the hosts."""
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
    shaping: Shaping,
    clock: Clock,
    lifetime: int,
    retry_first: int,
) -> APIRouter:
    """Return the route. `lifetime`: of a message (S8), `retry_first`: the delay of the first retry, in seconds."""
    routes = APIRouter(tags=["queue"], dependencies=OPERATORS)

    @routes.post("/v1/simulate", operation_id="simulate_routes")
    async def simulate(request: RouteRequest) -> list[Route]:
        """Say where a message would go and when it would be tried. No mail host is connected to, and nothing of it is stored; an MTA-STS policy that is not known is fetched."""
        now = clock.now()
        expires = now + timedelta(seconds=lifetime)
        groups: dict[Group, list[str]] = {}
        for each in request.recipients:
            domain = "" if each.mailbox else destination(each.address)
            groups.setdefault((domain, bool(domain and each.via)), []).append(each.address)
        flow = flow_of(request.account, request.client, request.sender)
        pools = {
            group: relays.pool(group[0], flow, request.sender, via="forward" if group[1] else "")
            for group in groups
            if group[0]
        }
        elsewhere = [address for group in pools for address in groups[group]]
        suppressed = set(await suppression.among(flow, elsewhere, now))
        pauses = [
            Pause.of(row) for row in await actions.pauses_of(request.account, list({domain for domain, _ in groups}))
        ]
        hosts = await looked_up(remote, {group: pool[0] if pool else None for group, pool in pools.items()})
        filed = Route(
            kind="local",
            destination="",
            recipients=groups.get(("", False), []),
            route=None,
            sources=[],
            shaping=None,
            hosts=[],
            port=None,
            tls=None,
            outcome=None,
            status=None,
            reply=None,
            pauses=[each for each in pauses if each.kind != "destination"],
            suppressed=[],
            attempts=filings(now, expires),
            expires=expires,
        )
        return [
            _route(
                domain,
                addresses,
                hosts.get(group),
                remote.port,
                pools[group],
                _shaping(shaping, hosts.get(group), pools[group], now),
                [each for each in addresses if each in suppressed],
                [each for each in pauses if each.kind != "destination" or each.value == domain],
                plan(now, expires, retry_first),
                expires,
            )
            if domain
            else filed
            for group, addresses in groups.items()
            for domain in group[:1]
        ]

    return routes


async def looked_up(
    remote: RemoteCourier, groups: Mapping[Group, Relay | None]
) -> dict[Group, list[HostAddress] | NoTarget]:
    """Return the hosts of `groups`, AT_ONCE at the same time; those not found within LOOK_SECONDS are left out."""
    found: dict[Group, list[HostAddress] | NoTarget] = {}
    turns = asyncio.Semaphore(AT_ONCE)

    async def look(group: Group, relay: Relay | None) -> None:
        async with turns:
            try:
                found[group] = await remote.hosts(group[0], relay)
            except NoTarget as none:
                found[group] = none

    try:
        async with asyncio.timeout(LOOK_SECONDS), asyncio.TaskGroup() as tasks:
            for group, relay in groups.items():
                tasks.create_task(look(group, relay))
    except TimeoutError:
        pass
    return found


def _route(
    domain: str,
    addresses: list[str],
    found: list[HostAddress] | NoTarget | None,
    port: int,
    pool: Sequence[Relay],
    shaped: ShapedOperator | None,
    suppressed: list[str],
    pauses: list[Pause],
    attempts: list[datetime],
    expires: datetime,
) -> Route:
    problem = found if isinstance(found, NoTarget) else UNKNOWN if found is None else None
    final = problem is not None and problem.outcome is Outcome.failed
    hosts = found if isinstance(found, list) else []
    relay = pool[0] if pool else None
    return Route(
        kind="remote",
        destination=domain,
        recipients=addresses,
        route=relay.route.removeprefix("route ") if relay else None,
        sources=[_source(each) for each in pool],
        shaping=shaped,
        hosts=[Host(host=each.host, address=each.address, tls=each.policy.words) for each in hosts],
        port=relay.port if relay and relay.host else port,
        tls=hosts[0].policy.words if hosts else OPPORTUNISTIC.words,
        outcome=problem.outcome.value if problem else None,
        status=problem.status if problem else None,
        reply=problem.text if problem else None,
        pauses=pauses,
        suppressed=suppressed,
        attempts=attempts[:1] if final else attempts,
        expires=expires,
    )


def _source(relay: Relay) -> Source:
    return Source(helo=relay.helo, addresses=[each for each in (relay.source_address, relay.second_source) if each])


def _shaping(
    shaping: Shaping, found: list[HostAddress] | NoTarget | None, pool: Sequence[Relay], now: datetime
) -> ShapedOperator | None:
    """Return the operator of the hosts; mail by a smart host is not counted."""
    if not isinstance(found, list) or (pool and pool[0].host):
        return None
    serving = shaping.serving([each.host for each in found], asyncio.get_running_loop().time())
    return shaped_operator(serving, now) if serving else None


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
