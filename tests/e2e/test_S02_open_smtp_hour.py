"""S2: a POP3 or IMAP login opens relaying for the client's address, for exactly an hour from that login."""

from collections.abc import Iterator

import pytest

from tests.support.clients import HOME, OFFICE, imap, pop3, refusal, smtp
from tests.support.run import Run
from tests.support.world import World

S10 = "550 5.7.1 Sorry, that domain isn't allowed to be relayed thru this MTA"


def may_relay(run: Run, world: World, source: str) -> bool:
    with smtp(run, source) as client:
        assert client.mail("")[0] == 250
        code, text = client.rcpt(f"someone@{world.far_domain}")
        if code == 250:
            return True
        assert f"{code} {text.decode()}" == S10
        return False


def test_a_pop3_login_opens_the_hour_for_that_address_only(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    assert not may_relay(run, world, "127.0.0.21")
    pop3(run, user, "127.0.0.21").quit()
    assert may_relay(run, world, "127.0.0.21")
    assert not may_relay(run, world, "127.0.0.22")


def test_an_imap_login_opens_it_too(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    assert not may_relay(run, world, "127.0.0.23")
    imap(run, user, "127.0.0.23").logout()
    assert may_relay(run, world, "127.0.0.23")


def test_a_failed_login_opens_nothing(run: Run, world: World) -> None:
    user = run.mailbox(run.domain())
    with pytest.raises(Exception, match="AUTHENTICATIONFAILED"):
        imap(run, type(user)(user.address, "wrong"), "127.0.0.24")
    assert not may_relay(run, world, "127.0.0.24")


def test_two_mailboxes_behind_one_address_have_a_grant_each(run: Run, world: World) -> None:
    domain = run.domain()
    anna, ben = run.mailbox(domain, "anna"), run.mailbox(domain, "ben")
    for user in (anna, ben):
        imap(run, user, "127.0.0.25").logout()
    assert {grant["mailbox"] for grant in run.cli("grant", "ls") if grant["address"] == run.source("127.0.0.25")} == {
        anna.address,
        ben.address,
    }
    run.cli("mailbox", "passwd", anna.address, "--password-stdin", text="a new password\n")
    assert may_relay(run, world, "127.0.0.25"), "ben's grant goes on"
    run.cli("grant", "revoke", run.source("127.0.0.25"), "--mailbox", ben.address)
    assert not may_relay(run, world, "127.0.0.25")


@pytest.fixture(scope="module")
def own_run(world: World) -> Iterator[Run]:
    run = Run(**world.settings())
    try:
        yield run.start()
    finally:
        run.close()


@pytest.mark.single_machine
def test_the_hour_is_an_hour_and_a_new_login_starts_it_anew(own_run: Run, world: World) -> None:
    user = own_run.mailbox(own_run.domain())
    imap(own_run, user, HOME).logout()
    own_run.restart(CLOCK_OFFSET_SECONDS="3540")
    assert may_relay(own_run, world, HOME)
    imap(own_run, user, OFFICE).logout()
    own_run.restart(CLOCK_OFFSET_SECONDS="3660")
    assert not may_relay(own_run, world, HOME), "the hour is over"
    assert may_relay(own_run, world, OFFICE)
    with smtp(own_run, HOME) as client:
        client.mail("")
        assert refusal(client.rcpt, f"someone@{world.far_domain}") == S10
    imap(own_run, user, HOME).logout()
    assert may_relay(own_run, world, HOME)
