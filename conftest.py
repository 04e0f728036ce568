"""What all tests have in common: how hypothesis runs, and a time limit that grows with how slow the machine is."""

import pytest
from hypothesis import HealthCheck, settings

from mailkit.testing.speed import patient

#: No property fails by the clock; one that fails prints how to run the same example again.
settings.register_profile("tests", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
#: `make fuzz`
settings.register_profile("long", settings.get_profile("tests"), max_examples=4000)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """The time limit of each test grows with how slow the machine is."""
    config.option.timeout = patient(float(config.option.timeout or config.getini("timeout")))
