"""Fixtures of the tests that use several services."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailkit.testing.scratch import scratch
from tests.support import release
from tests.support.run import Run, first_state
from tests.support.template import Template
from tests.support.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """DNS and remote mail hosts on loopback, one set per test worker."""
    found = release.given()
    with release.world_of(found) if found else World() as outside:
        yield outside


def _template(session: int) -> Path:
    """The folder of the template of the test session with that process id: not pytest's, which only its owner may enter."""
    return scratch() / f"postrider-template-{session}"


@pytest.fixture(scope="session", autouse=True)
def template() -> Iterator[None]:
    """Let each run begin with a database that is made once for all test workers."""
    session = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    Run.shared = Template(_template(session), first_state)
    yield
    Run.shared = None


def pytest_unconfigure() -> None:
    """Remove the template when the test session ends. A worker has none of its own."""
    shutil.rmtree(_template(os.getpid()), ignore_errors=True)


@pytest.fixture(scope="session")
def shared_run(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One running service per test worker; tests use domains of their own."""
    if found := release.given():
        yield release.ReleaseRun(found, tmp_path_factory.mktemp("release"))
        return
    run = Run(**world.settings(), LOGIN_FAILURES_PER_ADDRESS="100000", SMTP_ERROR_SECONDS="0")
    try:
        run.start()
        yield run
    finally:
        run.close()


@pytest.fixture
def run(shared_run: Run, request: pytest.FixtureRequest) -> Run:
    """The worker's running service, with a restart when a test left it dead."""
    if not release.given() and (shared_run.process is None or shared_run.process.poll() is not None):
        shared_run.start()
    return shared_run
