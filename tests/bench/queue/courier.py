"""Messages per second of the remote courier alone, against Postfix's smtp-sink: `python -m tests.bench.queue.courier host:port [connections]`.

Start the sink with `smtp-sink -c 127.0.0.9:2526 1000`. The mark before the dot is answered at once; the database's part
is measured by rates.py.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime

import uvloop

from mailkit.ids import new_id
from queue_worker.couriers import CourierSettings, RemoteCourier, RemoteMessage
from queue_worker.models import Claim, Outcome

BODY = b"Subject: bench\r\n\r\n" + b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n" * 64
GROUP = 100
SECONDS = 5.0


def claim(address: str) -> Claim:
    now = datetime.now(UTC)
    return Claim(new_id(), 0, 1, address, address, "a@here.test", new_id(), len(BODY), now, now, 0)


async def main(address: str, port: int, connections: int, recipients: int) -> None:
    courier = RemoteCourier(CourierSettings("bench.test", port=port, allow_networks=("127.0.0.0/8",)))
    count = 0
    end = time.perf_counter() + SECONDS

    async def body() -> bytes:
        return BODY

    async def mark() -> bool:
        return True

    def report(results: list) -> None:  # type: ignore[type-arg]
        nonlocal count
        assert all(result.outcome is Outcome.delivered for result in results), results[0]
        count += len(results)

    async def work() -> None:
        while time.perf_counter() < end:
            group = [
                RemoteMessage(
                    new_id(),
                    "a@here.test",
                    [claim(f"b{n}@far.test") for n in range(recipients)],
                    len(BODY),
                    False,
                    False,
                    body,
                    mark,
                )
                for _ in range(GROUP)
            ]
            await courier.deliver(f"[{address}]", group, report)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    cpu, took = time.process_time() - cpu, time.perf_counter() - began
    await courier.stop(1)
    messages = count / recipients
    print(
        f"{connections} connections, {recipients} rcpt: {messages / took:,.0f} msg/s, {cpu / messages * 1e6:.0f} us CPU/msg"
    )


if __name__ == "__main__":
    host, _, number = sys.argv[1].rpartition(":")
    for rcpts in (1, 10):
        uvloop.run(main(host, int(number), int(sys.argv[2]) if len(sys.argv) > 2 else 10, rcpts))
