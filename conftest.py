"""`make fuzz` gives every hypothesis test forty times as many examples."""

import pytest
from hypothesis import settings

from mailkit.testing.speed import patient

settings.register_profile("long", max_examples=4000, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """The time limit of each test grows with how slow the machine is."""
    if config.option.timeout is None:
        config.option.timeout = patient(float(config.getini("timeout")))
