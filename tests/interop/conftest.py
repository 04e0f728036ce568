"""One running service for the interop tests, with two mailboxes."""

from collections.abc import Iterator
from itertools import count, islice
from typing import NamedTuple

import pytest

from tests.support.mime_generated import generated
from tests.support.mime_samples import corpus, generate, stored
from tests.support.run import Account, Run
from tests.support.world import World

from .differences import listed
from .sessions import Dovecot, Postrider
from .tap import Tap


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


class Pair(NamedTuple):
    """A session here and one with Dovecot; message number n in both is messages[n - 1]."""

    messages: list[bytes]
    ours: Postrider
    theirs: Dovecot


@pytest.fixture(scope="session")
def pair(run: Run) -> Iterator[Pair]:
    """Two thousand messages, made by hand and generated, and those of docs/dovecot.md."""
    # a message of no octets cancels APPEND (RFC 3502 6.3.11)
    made = [message for message in [*map(stored, corpus()), *map(generate, range(300))] if message]
    made += islice(filter(None, map(generated, count())), 2000 - len(made))
    messages = made + [row.message for row in listed()]
    theirs = Dovecot(messages)
    ours = Postrider(run, run.mailbox(run.domain()), messages)
    yield Pair(messages, ours, theirs)
    ours.close()
    theirs.close()


@pytest.fixture
def tap(run: Run) -> Iterator[Tap]:
    """A relay that notes what a client sends."""
    made = Tap(run)
    yield made
    made.close()
