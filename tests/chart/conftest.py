"""Fixtures of the chart's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.bundled import Bundled


@pytest.fixture
def bundled(tmp_path: Path) -> Iterator[Bundled]:
    server = Bundled(tmp_path)
    try:
        yield server
    finally:
        server.close()
