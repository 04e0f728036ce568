"""Fixtures of the chart's tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.bundled import Bundled


@pytest.fixture
def bundled() -> Iterator[Bundled]:
    # not pytest's folder: every start of pytest takes it from other users, and Postgres runs as one
    with tempfile.TemporaryDirectory(prefix="postrider-chart-") as folder:
        server = Bundled(Path(folder))
        try:
            yield server
        finally:
            server.close()
