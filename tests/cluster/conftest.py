"""One cluster for all tests of this folder, ended whatever happens.

With POSTRIDER_TEST_KEEP_CLUSTER=1 the cluster and the release stay up, and those that are up are used.
With POSTRIDER_TEST_CONTEXT the tests that can do without a cluster of their own run against the one at hand (kit/given.py).
"""

import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.cluster.kit import cli, given, node
from tests.cluster.kit.build import KitError, binaries
from tests.cluster.world import Balancer, Release
from tests.support.run import Account

KEEP = os.environ.get("POSTRIDER_TEST_KEEP_CLUSTER") == "1"


@pytest.fixture(scope="session")
def cluster() -> Iterator[node.Cluster]:
    def ask(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, ask)
    with contextlib.ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGTERM, before)
        try:
            if given.CONTEXT:
                yield stack.enter_context(contextlib.closing(given.Given()))
                return
            stack.enter_context(node.claim())
            programs = binaries()
            if not KEEP:
                node.check_not_kept(programs)
                stack.callback(node.stop)
            running = (node.current(programs) if KEEP else None) or cli.up()
            if KEEP:
                node.keep()
        except KitError as error:
            pytest.exit(f"cluster: {error}", returncode=1)
        yield running


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs clients at addresses of their own, or this machine's images, is left out on a cluster at hand."""
    if given.CONTEXT:
        out = [item for item in items if item.get_closest_marker("own_cluster")]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


@pytest.fixture(scope="session")
def balancer(cluster: node.Cluster) -> Iterator[Balancer]:
    controller = Balancer(cluster)
    yield controller
    controller.close()


@pytest.fixture(scope="session")
def release(cluster: node.Cluster, balancer: Balancer) -> Release:
    """The release that most tests share, installed once."""
    made = Release(cluster, balancer)
    if KEEP and "STATUS: deployed" in made.helm("status", check=False):
        return made
    try:
        made.install()
    except (KitError, subprocess.TimeoutExpired) as error:
        pytest.fail(f"{error}\n{made.logs()}", pytrace=False)
    return made


@pytest.fixture
def domain(release: Release) -> str:
    name = f"d{secrets.token_hex(4)}.example"
    release.admin("POST", "auth", "domains", {"name": name})
    return name


@pytest.fixture
def account(release: Release, domain: str) -> Account:
    made = Account(f"anna@{domain}", secrets.token_urlsafe(12))
    release.admin("POST", "auth", "mailboxes", {"address": made.address, "password": made.password})
    return made


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows the pods and their last words."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    shared = getattr(item, "funcargs", {}).get("release")
    if report.when == "call" and report.failed and isinstance(shared, Release):
        try:
            report.sections.append(("pods", shared.logs()))
        except KitError as error:
            report.sections.append(("pods", str(error)))
