"""A running service with a mailbox of a thousand messages, and a browser that has logged in to Roundcube."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.interop.sessions import Postrider
from tests.support.run import Account, Run, running

from .browser import Browser
from .roundcube import Roundcube

#: Messages of the folder; `make interop-web` runs with 1,000, its long form with 10,000.
MESSAGES = int(os.environ.get("POSTRIDER_TEST_MESSAGES", "1000"))
_STEP = 7919  # a prime, so that senders and dates are in another order than the messages


def place(number: int) -> int:
    """The place of a message in the order of senders and dates."""
    return number * _STEP % MESSAGES


def subject(place: int) -> str:
    """The subject of the message at that place."""
    return f"subject {place:05d}" + (" needle" if place % 100 == 50 else "")


def _message(number: int) -> bytes:
    at = place(number)
    return (
        f"From: s{at:05d}@far.example\r\nTo: user@near.example\r\nSubject: {subject(at)}\r\n"
        f"Date: {1 + at // 1440:d} Mar 2026 {at // 60 % 24:02d}:{at % 60:02d}:00 +0000\r\nMessage-ID: <{at}@far.example>\r\n\r\ntext\r\n"
    ).encode()


class Desk(NamedTuple):
    """What the tests work with; the browser shows the mailbox of `user`."""

    run: Run
    user: Account
    roundcube: Roundcube
    browser: Browser


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("web")
    with running(POP3_LOGIN_DELAY_SECONDS="0", LIMIT_EXEMPT_NETWORKS="127.0.0.0/8") as run:
        user = run.mailbox(run.domain())
        Postrider(run, user, [_message(number) for number in range(MESSAGES)]).close()
        roundcube = Roundcube(home, run)
        try:
            browser = Browser(home)
            try:
                browser.open(roundcube.url)
                browser.type("#rcmloginuser", user.address)
                browser.type("#rcmloginpwd", user.password)
                browser.click("#rcmloginsubmit")
                browser.wait("window.rcmail && rcmail.env.task === 'mail' && rcmail.env.mailbox", "logged in")
                yield Desk(run, user, roundcube, browser)
            finally:
                browser.close()
        finally:
            roundcube.close()


@pytest.fixture
def picture(desk: Desk, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """A picture of the window at the end of each test: in POSTRIDER_TEST_PICTURES, else beside its other files."""
    yield
    folder = Path(os.environ.get("POSTRIDER_TEST_PICTURES") or tmp_path)
    desk.browser.screenshot(folder / f"{request.node.name}.png")
