"""/v1/routes: smart hosts, source addresses and HELO names for some mail (docs/decisions/0083)."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, SecretStr

from mailkit.errors import BadRequest, NotFound
from mailkit.ids import new_id
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.rpc.app import OPERATORS
from queue_worker.operators.filters import Text
from queue_worker.storage.operations import OperatorAction
from queue_worker.storage.routes import MOST, RouteRow, Routes

log = get_logger()

#: Sources of one pool.
MOST_SOURCES = 32
_WITHOUT_VALUE = ("all", "bounces", "forwards")

HostName = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]


class RouteKey(BaseModel):
    """Which mail a route is for."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["all", "destination", "sender", "account", "bounces", "forwards", "named"]
    """`bounces`: mail from <>; `forwards`: what forwards and catch-alls send elsewhere; `named`: what an operator chooses."""
    value: Text | None = None
    """The domain of the recipient or of the sender, the mailbox's id, or the route's name; none for the others."""
    actor: Text = "operator"
    """Who asks, for the log and the trace."""
    reason: Text | Literal[""] = ""
    """Why, for the trace."""

    def key(self) -> str:
        """Return the value as it is stored. Raises BadRequest."""
        if (self.kind in _WITHOUT_VALUE) == bool(self.value):
            raise BadRequest(
                "a destination or sender is a domain, an account a mailbox's id, a named route has its name, and others have no value"
            )
        if self.kind != "account":
            return (self.value or "").lower()
        try:
            return str(UUID(self.value or ""))
        except ValueError as error:
            raise BadRequest("an account is a mailbox's id") from error


class PoolSource(BaseModel):
    """A source of a pool: a HELO name, and its IPv4 or IPv6 address, or one of each."""

    model_config = ConfigDict(extra="forbid")

    helo: HostName
    addresses: list[IPvAnyAddress] = Field(min_length=1, max_length=2)

    def stored(self) -> str:
        """Return it as it is stored."""
        return " ".join((self.helo, *map(str, self.addresses)))


class RouteSetting(RouteKey):
    """A route to set; it takes the place of one for the same mail."""

    host: HostName | None = None
    """The smart host; null: the hosts of the recipient's domain."""
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "opportunistic"] = "starttls"
    """To the smart host. `starttls` and `implicit` verify its name and chain; AUTH needs one of them."""
    username: Text | None = None
    password: SecretStr | None = Field(default=None, max_length=1000)
    source_address: IPvAnyAddress | None = None
    """The address of this machine from which connections are made."""
    helo: HostName | None = None
    pool: list[PoolSource] = Field(default=[], max_length=MOST_SOURCES)
    """Sources among which messages are divided, instead of one source address and HELO name."""

    def checked(self) -> None:
        """Raise BadRequest if the parts do not fit together."""
        if not (self.host or self.source_address or self.helo or self.pool):
            raise BadRequest("a route names a host, a source address, a HELO name or a pool")
        if self.pool and (self.source_address or self.helo):
            raise BadRequest("a pool has the source addresses and HELO names: give no others")
        if any(len({address.version for address in each.addresses}) < len(each.addresses) for each in self.pool):
            raise BadRequest("a source has at most one IPv4 and one IPv6 address")
        if (self.username is None) != (self.password is None):
            raise BadRequest("a name and a password are given together")
        if self.username is not None and (self.host is None or self.tls == "opportunistic"):
            raise BadRequest("AUTH needs a host and verified TLS: starttls or implicit")
        if self.password is not None and not 0 < len(self.password.get_secret_value().replace("\0", "")) == len(
            self.password.get_secret_value()
        ):
            raise BadRequest("a password is not empty and has no NUL")


class RelayRoute(BaseModel):
    """A route. Its password is never shown."""

    kind: str
    value: str
    host: str | None
    port: int
    tls: str
    username: str | None
    source_address: str | None
    helo: str | None
    pool: list[PoolSource]
    changed_at: datetime

    @classmethod
    def of(cls, row: RouteRow) -> Self:
        facts = {name: getattr(row, name) for name in cls.model_fields if name != "pool"}
        pool = [
            PoolSource.model_validate({"helo": helo, "addresses": addresses})
            for helo, *addresses in map(str.split, row.pool)
        ]
        return cls(**facts, pool=pool)


def router(rows: Routes, clock: Clock) -> APIRouter:
    """Return the routes under /v1/routes."""
    routes = APIRouter(prefix="/v1/routes", tags=["queue"], dependencies=OPERATORS)

    @routes.get("", operation_id="list_routes")
    async def ls(
        after_kind: Text | None = Query(default=None, description="of the last route of the page before"),
        after_value: Text | None = Query(default=None, description="of the same"),
        limit: int = Query(default=1000, ge=1, le=1000),
    ) -> list[RelayRoute]:
        """List routes by kind and value, without passwords."""
        return [RelayRoute.of(row) for row in await rows.page((after_kind or "", after_value or ""), limit)]

    @routes.put("", operation_id="set_route")
    async def put(request: RouteSetting) -> RelayRoute:
        """Send mail by a smart host, from a source address or with a HELO name, within seconds on every replica."""
        request.checked()
        password = request.password.get_secret_value() if request.password else ""
        source = str(request.source_address) if request.source_address else None
        host = request.host.lower() if request.host else None
        row = RouteRow(
            request.kind,
            request.key(),
            host,
            request.port,
            request.tls,
            request.username,
            source,
            request.helo,
            [each.stored() for each in request.pool],
            clock.now(),
        )
        operation = OperatorAction(
            new_id(), row.changed_at, "route", request.actor, request.reason, kind=row.kind, value=row.value
        )
        made = await rows.put(row, password, operation)
        if made is None:
            raise BadRequest(f"there are {MOST} routes already")
        log.info("queue_changed", action="route", actor=request.actor, filter={made.kind: made.value})
        return RelayRoute.of(made)

    @routes.post("/end", operation_id="delete_route")
    async def delete(request: RouteKey) -> RelayRoute:
        """Delete a route: its mail leaves as any other."""
        operation = OperatorAction(
            new_id(),
            clock.now(),
            "unroute",
            request.actor,
            request.reason,
            kind=request.kind,
            value=request.key(),
        )
        gone = await rows.delete(operation)
        if gone is None:
            raise NotFound("there is no such route")
        log.info("queue_changed", action="unroute", actor=request.actor, filter={gone.kind: gone.value})
        return RelayRoute.of(gone)

    return routes
