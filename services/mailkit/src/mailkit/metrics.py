"""What the services' metrics share. Names are `postrider_<service>_<what>_<unit>`; no address or domain is ever a label,
so a label's values are a small set that the code knows, and the help text says which."""

from collections.abc import Iterable
from itertools import product
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram

T = TypeVar("T", Counter, Gauge, Histogram)


def from_zero(metric: T, *values: Iterable[str]) -> T:
    """Make the children of all combinations of label values: what has not happened yet is 0 and not unknown, so that a
    rate and an alert see the first time."""
    for labels in product(*values):
        metric.labels(*labels)
    return metric
