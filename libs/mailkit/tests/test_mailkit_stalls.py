"""The loop-stall histogram: what it counts, and that every service process has it."""

import asyncio
import time

from prometheus_client.samples import Sample

from mailkit.process import lifecycle, stalls
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.stalls import PERIOD, STALL_SECONDS, StallWatch
from mailkit.testing.speed import patient


def _samples() -> list[Sample]:
    return [sample for family in STALL_SECONDS.collect() for sample in family.samples]


def longer(bound: str, cause: str) -> float:
    """How many stalls longer than `bound` were counted, as one reads it from /metrics."""
    total = up_to = 0.0
    for sample in _samples():
        if sample.labels["cause"] == cause and sample.name.endswith("_bucket"):
            if sample.labels["le"] == bound:
                up_to = sample.value
            elif sample.labels["le"] == "+Inf":
                total = sample.value
    return total - up_to


def test_a_stall_is_counted_beyond_its_bucket_by_what_it_went_to() -> None:
    before = {cause: longer("0.25", cause) for cause in ("work", "wait")}

    def counted() -> tuple[float, float]:
        return longer("0.25", "work") - before["work"], longer("0.25", "wait") - before["wait"]

    watch = StallWatch(0.0, 1.0)
    watch.turn(PERIOD, 1.001)  # in time
    watch.turn(2 * PERIOD + 0.249, 1.25)
    assert counted() == (0, 0)
    watch.turn(3 * PERIOD + 0.249 + 0.3, 1.25 + 0.3)
    assert counted() == (1, 0)
    watch.turn(4 * PERIOD + 0.249 + 0.3 + 31.0, 1.25 + 0.3 + 0.2)
    assert counted() == (1, 1)
    assert longer("30.0", "wait") >= 1
    watch.turn(5 * PERIOD + 0.249 + 0.3 + 31.0 + 1.0, 1.25 + 0.3 + 0.2 + 0.5)  # half of it each
    assert counted() == (2, 2)


def test_what_ran_early_counts_as_no_stall() -> None:
    before = sum(sample.value for sample in _samples() if sample.name.endswith("_sum"))
    StallWatch(100.0, 0.0).turn(100.0, 0.0)
    assert sum(sample.value for sample in _samples() if sample.name.endswith("_sum")) == before


def test_a_service_process_measures_its_loop() -> None:
    before = longer("0.1", "work")

    async def serve(_life: Lifecycle) -> None:
        await asyncio.sleep(3 * PERIOD)
        end = time.thread_time() + 0.2
        while time.thread_time() < end:
            pass
        async with asyncio.timeout(patient(10)):
            while longer("0.1", "work") == before:
                await asyncio.sleep(PERIOD)

    lifecycle.run("test", serve)
    assert longer("0.1", "work") == before + 1


def test_one_measurement_is_cheap_beside_its_period() -> None:
    watch = StallWatch(0.0, 0.0)
    started = time.thread_time()
    for number in range(10_000):
        watch.turn(number * PERIOD, number * 0.001)
    assert (time.thread_time() - started) / 10_000 < PERIOD / 100
    assert stalls.PERIOD == PERIOD
