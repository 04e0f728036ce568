"""One account's mail to hosts that do not answer delays no other account's (docs/decisions/0036): real sockets on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from mailkit.ids import new_id
from mailkit.net.dns import MX
from mailkit.testing.sink import Sink
from mailkit.testing.speed import allowed, patient, until
from queue_worker.couriers import CourierSettings, RemoteCourier
from queue_worker.couriers.addresses import AT_ONCE
from queue_worker.couriers.targets import Targets
from queue_worker.delivery import in_hand, loop, slots
from queue_worker.parts import Parts

SILENT = 520
SPAMMER, CUSTOMER = new_id(), new_id()


class Names:
    """A resolver that knows where each domain's mail goes."""

    def __init__(self) -> None:
        self.hosts: dict[str, str] = {}

    async def mx(self, domain: str) -> tuple[MX, ...]:
        return (MX(10, domain),)

    async def addresses(self, host: str) -> tuple[str, ...]:
        return (self.hosts[host],)


@dataclass
class Net:
    """A healthy host, and hosts whose kernel takes connections while no process answers."""

    healthy: Sink
    stack: ExitStack
    names: Names = field(default_factory=Names)

    def silent(self, count: int) -> list[str]:
        """`count` domains with an address of their own each."""
        for n in range(count):
            address = f"127.78.{n // 250}.{n % 250 + 1}"
            self.stack.enter_context(socket.create_server((address, self.healthy.port), backlog=50))
            self.names.hosts[f"silent{n}.test"] = address
        return [f"silent{n}.test" for n in range(count)]

    def good(self, domain: str) -> str:
        self.names.hosts[domain] = self.healthy.address
        return domain

    def courier(self) -> RemoteCourier:
        settings = CourierSettings("mx.here.test", self.healthy.port, allow_networks=("127.0.0.0/8",))
        return RemoteCourier(settings, Targets(settings, self.names))  # type: ignore[arg-type]


@pytest.fixture
def net() -> Iterator[Net]:
    with ExitStack() as stack:
        yield Net(stack.enter_context(Sink("127.77.1.1")), stack)


@pytest.fixture
async def running(world, net) -> AsyncIterator[list[Parts]]:
    """Two workers on one queue, delivering until the test ends."""
    workers, tasks = [], []
    for _ in range(2):
        world.sink = net.courier()
        workers.append(world.worker())
        tasks.append(asyncio.create_task(workers[-1].delivery.run()))
    yield workers
    for worker in workers:
        await worker.delivery.stop(0)
    await asyncio.wait(tasks, timeout=patient(5))


def under_way(workers):
    return [len(worker.delivery._conversations.under_way) for worker in workers]


async def sent(net, worker, world, address):
    """Submit one message of another customer and wait until its host has it; seconds it took."""
    began = asyncio.get_running_loop().time()
    await world.submit(world.message(address, account=CUSTOMER), worker=worker)
    await until(lambda: any(address in m.recipients for m in net.healthy.messages), 30)
    return asyncio.get_running_loop().time() - began


async def test_silent_hosts_of_one_account_delay_no_other_customers_mail(world, net, running):
    silent = net.silent(SILENT)
    await world.submit(world.message(*(f"x@{domain}" for domain in silent), account=SPAMMER), worker=running[0])
    await until(lambda: sum(under_way(running)) >= SILENT // 2)
    assert max(under_way(running)) <= slots.CONVERSATIONS // 2 + 1
    took = [await sent(net, worker, world, f"b@{net.good(f'good{n}.test')}") for n, worker in enumerate(running)]
    assert max(took) < allowed(5), took
    assert sum(under_way(running)) >= SILENT // 2, "the silent hosts were given up before: nothing was shown"


async def test_many_domains_on_one_silent_address_leave_the_conversations_to_others(world, net, running):
    """Each domain's mail is another account's, so that only the address is common."""
    (domain,) = net.silent(1)
    for n in range(600):
        net.names.hosts[f"d{n}.test"] = net.names.hosts[domain]
    await world.submit(*(world.message(f"x@d{n}.test", account=new_id()) for n in range(600)), worker=running[0])
    await until(lambda: sum(under_way(running)) >= AT_ONCE)
    opening = [worker.delivery._remote._connecting.addresses._opening for worker in running]
    took = [await sent(net, worker, world, f"b@{net.good(f'good{n}.test')}") for n, worker in enumerate(running)]
    assert max(took) < allowed(5), took
    assert all(count <= AT_ONCE for counts in opening for count in counts.values())
    await until(lambda: max(under_way(running)) <= AT_ONCE)  # the others were put off: they hold no conversation


async def test_an_account_with_many_recipients_does_not_fill_what_is_in_hand(world, monkeypatch):
    """A worker that may hold 200 recipients holds half of them for one account, and takes another's at once."""
    monkeypatch.setattr(in_hand, "MOST", 200)
    go, take = asyncio.Event(), world.sink.deliver

    async def slow(domain, messages, report, relay=None, admit=None):
        if domain.startswith("slow"):
            await go.wait()
        await take(domain, messages, report)

    world.sink.deliver = slow
    worker = world.worker()
    task = asyncio.create_task(worker.delivery.run())
    many = [world.message(*(f"{n}@slow{m}.test" for n in range(100)), account=SPAMMER) for m in range(30)]
    await world.submit(*many, worker=worker)
    await until(lambda: len(worker.delivery._in_hand) >= 100)
    await world.submit(world.message("b@good.test", account=CUSTOMER), worker=worker)
    await until(lambda: any(got.domain == "good.test" for got in world.sink.got))
    assert len(worker.delivery._in_hand) <= 100 + loop.DOMAINS
    go.set()
    await until(lambda: sum(len(got.recipients) for got in world.sink.got) == 3001)
    await worker.delivery.stop(1)
    await asyncio.wait_for(task, patient(5))
    assert len(worker.delivery._in_hand) == len(worker.delivery._slots) == worker.delivery._slots._unproven == 0


async def test_a_long_line_of_one_account_at_a_domain_lets_others_through(world):
    """2,000 messages of one account to one domain, then one of another: it travels among the next, not behind them."""
    take = world.sink.deliver
    order = []

    async def noted(domain, messages, report, relay=None, admit=None):
        order.extend(recipient.address for message in messages for recipient in message.recipients)
        await take(domain, messages, report)

    world.sink.deliver = noted
    worker = world.worker()
    await world.submit(*(world.message(f"{n}@big.test", account=SPAMMER) for n in range(2000)), worker=worker)
    await world.submit(world.message("b@big.test", account=CUSTOMER), worker=worker)
    await worker.delivery.turn()
    await worker.delivery.settled(20)
    assert "b@big.test" in order and len(order) < 200
    await worker.delivery.stop(1)


async def test_domains_that_answered_lately_have_conversations_of_their_own(world, monkeypatch):
    monkeypatch.setattr(slots, "CONVERSATIONS", 60)
    monkeypatch.setattr(slots, "RESERVE", 20)
    never, take = asyncio.Event(), world.sink.deliver

    async def silent(domain, messages, report, relay=None, admit=None):
        if domain.startswith("silent"):
            await never.wait()
        await take(domain, messages, report)

    world.sink.deliver = silent
    worker = world.worker()
    task = asyncio.create_task(worker.delivery.run())
    await world.submit(world.message("a@known.test", account=CUSTOMER), worker=worker)
    await until(lambda: len(world.sink.got) == 1)
    many = [world.message(f"x@silent{n}.test", account=new_id()) for n in range(200)]  # as many accounts
    await world.submit(*many, worker=worker)
    await until(lambda: len(worker.delivery._conversations.under_way) == 40)
    await world.submit(world.message("b@known.test", account=CUSTOMER), worker=worker)
    await until(lambda: len(world.sink.got) == 2)
    assert len(worker.delivery._conversations.under_way) >= 40
    never.set()
    await until(lambda: len(world.sink.got) == 202)
    await worker.delivery.stop(1)
    await asyncio.wait_for(task, patient(5))
