"""A courier between real sockets: DNS and mail hosts on loopback, messages that remember what was asked of them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme
import uvloop
from aiohttp import web

from mailkit.ids import new_id
from mailkit.postgres.pool import create_pool
from mailkit.process.clock import ManualClock
from mailkit.testing.dns import FakeDns
from mailkit.testing.sink import Sink
from mailkit.testing.speed import patient
from queue_worker.couriers import CourierSettings, RemoteCourier, RemoteMessage
from queue_worker.couriers.configured import with_policies
from queue_worker.models import Claim, Result
from queue_worker.storage.sts_policies import StsPolicies

BODY = b"From: a@here.test\r\nSubject: hello\r\n\r\nHello.\r\n"


def claim(address: str) -> Claim:
    """A recipient; couriers read its address only."""
    now = datetime.now(UTC)
    return Claim(new_id(), 0, 1, address, address, "a@here.test", new_id(), len(BODY), now, now, 0)


@dataclass
class Outside:
    """The world outside and a courier in it."""

    dns: FakeDns
    port: int
    sinks: list[Sink]
    couriers: list[RemoteCourier] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    _address: int = 1

    def address(self) -> str:
        """A loopback address where nobody listens."""
        self._address += 1
        return f"127.77.0.{self._address}"

    def sink(self) -> Sink:
        sink = Sink(self.address(), self.port)
        self.sinks.append(sink)
        return sink

    def remote(self, domain: str, *, preference: int = 10) -> Sink:
        """One more mail host for `domain`; its name is `mx<preference>.<domain>`."""
        sink = self.sink()
        host = f"mx{preference}.{domain}"
        known = self.dns.zones.get(domain, {}).get("MX", [])
        self.dns.set(domain, MX=[*known, f"{preference} {host}"])
        self.dns.set(host, A=[sink.address])
        return sink

    def courier(self, **changes: Any) -> RemoteCourier:
        settings = CourierSettings(
            helo_name="mx.here.test", port=self.port, dns_servers=(self.dns.server,), allow_networks=("127.0.0.0/8",)
        )
        courier = RemoteCourier(replace(settings, **changes))
        self.couriers.append(courier)
        return courier

    def message(
        self, *addresses: str, body: bytes = BODY, sender: str = "a@here.test", **changes: Any
    ) -> RemoteMessage:
        name = addresses[0] if addresses else "nobody"

        async def load() -> bytes:
            self.events.append(f"load {name}")
            return body

        async def mark() -> bool:
            self.events.append(f"mark {name}")
            return True

        message = RemoteMessage(
            new_id(),
            sender,
            [claim(address) for address in addresses],
            len(body),
            not body.isascii(),
            False,
            load,
            mark,
        )
        return replace(message, **changes)

    def report(self, results: Sequence[Result]) -> None:
        assert results
        self.results += results
        self.events += [f"{result.outcome.value} {result.claim.address}" for result in results]

    async def deliver(self, *messages: RemoteMessage, domain: str = "far.test", **changes: Any) -> dict[object, Result]:
        """Deliver once with a courier of these settings; every recipient has exactly one result."""
        courier = self.couriers[-1] if self.couriers and not changes else self.courier(**changes)
        before = len(self.results)
        async with asyncio.timeout(patient(30)):
            await courier.deliver(domain, list(messages), self.report)
        told = self.results[before:]
        assert sorted(o.claim.address for o in told) == sorted(r.address for m in messages for r in m.recipients)
        return {result.claim.address: result for result in told}

    async def result(self, *, domain: str = "far.test", **changes: Any) -> Result:
        """The one result of one message to `b@<domain>`."""
        (result,) = (await self.deliver(self.message(f"b@{domain}"), domain=domain, **changes)).values()
        return result


@pytest.fixture(scope="session")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


@pytest.fixture
def dns() -> Iterator[FakeDns]:
    with FakeDns() as server:
        yield server


@pytest.fixture
async def outside(dns: FakeDns) -> AsyncIterator[Outside]:
    first = Sink("127.77.0.1")
    world = Outside(dns, first.port, [first])
    yield world
    for courier in world.couriers:
        await courier.stop(0)
    for sink in world.sinks:
        sink.close()


@pytest.fixture
def far(outside: Outside) -> Sink:
    """The only mail host of far.test."""
    return outside.remote("far.test")


@dataclass
class Publisher:
    """far.test, which publishes a policy over HTTPS, and a world to fetch it in."""

    outside: Any
    pool: asyncpg.Pool
    ca: trustme.CA
    ca_file: str
    port: int = 0
    reply: web.Response | None = None
    text: str = ""
    asked: list[str] = field(default_factory=list)
    posted: list[bytes] = field(default_factory=list)
    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC)))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.host.partition(':')[0]}{request.path}")
        return self.reply or web.Response(text=self.text, content_type="text/plain")

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.posted.append(await request.read())
        return web.Response(status=201)

    def publish(self, text: str, identifier: str = "1") -> None:
        self.text = text
        self.outside.dns.set("_mta-sts.far.test", TXT=[f'"v=STSv1; id={identifier};"'])

    def certify(self, sink: Sink, *names: str) -> None:
        sink.behaviour.starttls = True
        sink.behaviour.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(sink.behaviour.context)

    @property
    def rows(self) -> StsPolicies:
        return StsPolicies(self.pool)

    def courier(self, **changes: Any) -> RemoteCourier:
        """A worker of its own."""
        dns = self.outside.dns
        settings = CourierSettings(
            "mx.here.test",
            self.outside.port,
            (dns.server,),
            ("127.0.0.0/8",),
            ca_file=self.ca_file,
            policy_port=self.port,
        )
        courier = with_policies(replace(settings, **changes), self.rows, self.clock)
        self.outside.couriers.append(courier)
        return courier

    async def result(self, courier: RemoteCourier | None = None, tls: str = "") -> Any:
        courier = courier or self.courier()
        before = len(self.outside.results)
        await courier.deliver("far.test", [self.outside.message("b@far.test", tls=tls)], self.outside.report)
        (result,) = self.outside.results[before:]
        return result


@pytest.fixture
async def publisher(outside: Any, database: str, tmp_path: Path) -> AsyncIterator[Publisher]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pool = await create_pool(database, service="queue-worker", size=2)
    far = Publisher(outside, pool, ca, str(tmp_path / "ca.pem"))
    app = web.Application()
    app.router.add_get("/{path:.*}", far.answer)
    app.router.add_post("/reports", far.take)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("mta-sts.far.test").configure_cert(context)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    far.port = runner.addresses[0][1]
    outside.dns.set("mta-sts.far.test", A=["127.0.0.1"])
    yield far
    await runner.cleanup()
    await pool.close()
