"""One running service for the interop tests, with two mailboxes."""

from collections.abc import Iterator

import pytest

from tests.support.run import Account, Run
from tests.support.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with World() as outside:
        yield outside


@pytest.fixture(scope="session")
def run(world: World) -> Iterator[Run]:
    made = Run(**world.settings(), POP3_LOGIN_DELAY_SECONDS="0", LIMIT_EXEMPT_NETWORKS="127.0.0.0/8")
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def user(run: Run) -> Account:
    return run.mailbox(run.domain())
