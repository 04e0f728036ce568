"""`make cost`: what the worst input for every verb, parser and endpoint costs, beside a second client."""

import argparse
import os
import sys
import time

from mailkit.testing.speed import slowness
from tests.cost import table
from tests.cost.bench import benches
from tests.cost.cases import all_cases
from tests.cost.measure import Meter, PostgresTime
from tests.cost.runner import Limits, run
from tests.cost.witness import Witness


def main() -> int:
    """Run, print a line per case and the table; 1 when a limit was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.cost", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    words = parser.parse_args()
    cases = [case for case in all_cases() if words.only.lower() in case.name.lower()]
    limits = Limits(slowness())
    print(f"{len(cases)} cases; limits of time times {limits.slowness:.2f}; load {os.getloadavg()[0]:.1f}", flush=True)
    started, results = time.monotonic(), []
    with benches() as bench:
        bench.prepare()
        reader, writer = (bench.run.mailbox(bench.domain, name) for name in ("reader", "writer"))
        with Witness(bench.run, reader, writer) as witness, PostgresTime(bench.dsn) as postgres:
            meter = Meter(bench.run, postgres, bench.pids)
            meter.watch_usual()
            for number, result in enumerate(run(cases, bench, meter, witness, limits), 1):
                results.append(result)
                print(table.line(number, len(cases), result), flush=True)
    failed = [result for result in results if result.faults]
    text = table.page(results, time.monotonic() - started, limits)
    print(f"\n{text}\n\n{len(failed)} of {len(results)} over a limit")
    for result in failed:
        print(f"  {result.case.name}: {'; '.join(result.faults)}")
    if words.write:
        table.write(text)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
