"""What all tests have in common: how hypothesis runs, a time limit that grows with how slow the machine is, loggers that can be
watched."""

from collections.abc import Iterator
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
    """Configure loggers that are not kept: one that was once used would stay out of reach of `capture_logs`."""
    _configure(**settings | {"cache_logger_on_first_use": False})


structlog.configure = _configure_uncached


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """What a test sets up for its log lines ends with it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
