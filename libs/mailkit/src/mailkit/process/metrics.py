"""Common parts of the services' metrics.

Names are `postrider_<service>_<what>_<unit>`. No address or domain is a label: the values of a label are a small set fixed in
the code and listed in the help text.
"""

from collections.abc import Iterable
from itertools import product
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram

T = TypeVar("T", Counter, Gauge, Histogram)


def from_zero(metric: T, *values: Iterable[str]) -> T:
    """Create the children of all combinations of label values and return `metric`.

    They are then 0 from the start, so that rates and alerts see the first event.
    """
    for labels in product(*values):
        metric.labels(*labels)
    return metric
