"""P4: one check per mailbox in 60 seconds; sooner: told so, disconnected, and no grant."""

import poplib

import pytest

from tests.support.clients import Pop3, pop3, tls_context
from tests.support.run import Run


def test_the_second_login_within_a_minute(run: Run) -> None:
    user = run.mailbox(run.domain())
    first = pop3(run, user)
    assert first.capa()["LOGIN-DELAY"] == ["60"]  # after the login, that of the account
    first.quit()
    second = Pop3(run, "127.0.0.41")
    second.stls(tls_context(run))
    second.user(user.login)
    with pytest.raises(poplib.error_proto, match=r"-ERR \[LOGIN-DELAY\]"):
        second.pass_(user.password)
    with pytest.raises((poplib.error_proto, OSError, EOFError)):
        second.noop()
    assert run.source("127.0.0.41") not in {grant["address"] for grant in run.cli("grant", "ls")}


def test_a_wrong_password_is_told_first(run: Run) -> None:
    user = run.mailbox(run.domain())
    pop3(run, user).quit()
    with pytest.raises(poplib.error_proto) as caught:
        pop3(run, type(user)(user.address, "wrong"))
    assert "LOGIN-DELAY" not in str(caught.value)
