"""What a million deferred recipients cost, beside an empty queue in the same run: `make bench-queue`.

`python -m tests.bench.queue [RECIPIENTS [DOMAINS]]` on a Postgres of its own. Every recipient is a message of its own and
due in one to six hours. The services that are called answer at once. Run by the interpreter of another clone
(`…/.venv/bin/python`), it measures that clone's services.
"""

import argparse
import os

import uvloop

from mailkit.process.logs import configure
from mailkit.testing.postgres import databases
from tests.bench.queue.looking import look
from tests.bench.queue.operators import bulk, read
from tests.bench.queue.tracing import trace
from tests.bench.queue.world import fill, queue

STEPS = {"look": look, "read": read, "bulk": bulk, "trace": trace}


async def main(sizes: list[int], domains: int, steps: list[str]) -> None:
    configure("bench", "error")
    rows: dict[str, list[str]] = {}

    def put(name: str, value: float, unit: str) -> None:
        rows.setdefault(name, []).append(f"{value:.2f} {unit}")
        print(f"  {name}: {value:.2f} {unit}", flush=True)

    found = databases()
    for size in sizes:
        with found.database(("bodystore", "bodies"), ("queue_worker", "queue")) as dsn:
            print(f"{size:,} deferred recipients, {domains:,} domains, load {os.getloadavg()[0]:.1f}", flush=True)
            async with queue(dsn) as (pool, _):
                if size:
                    await fill(pool, size, domains)
            for step in steps:
                await STEPS[step](dsn, put)
    print()
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(values)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.queue", description=__doc__)
    parser.add_argument("recipients", nargs="?", type=int, default=1_000_000)
    parser.add_argument("domains", nargs="?", type=int, default=50_000)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="only these")
    parser.add_argument("--full", action="store_true", help="without the empty queue")
    words = parser.parse_args()
    uvloop.run(main([words.recipients] if words.full else [0, words.recipients], words.domains, words.steps))
