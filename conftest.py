"""What all tests have in common: how hypothesis runs, a time limit that grows with how slow the machine is, loggers that can be
watched."""

from typing import Any

import pytest
import structlog
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


_configure = structlog.configure


def _configure_uncached(**settings: Any) -> None:
    """A logger that was once used stays as it was, out of reach of `capture_logs`: never so in tests, whatever ran before."""
    _configure(**settings | {"cache_logger_on_first_use": False})


structlog.configure = _configure_uncached
