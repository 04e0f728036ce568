"""A domain that moves in: mail and logins go to the old host until the switch, and again after `back` (docs/decisions/0126)."""

import asyncio
import imaplib
import poplib
import smtplib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailkit.testing.old_host import OldHostServer
from mailkit.testing.speed import patient
from tests.support.clients import HOME, OFFICE, pop3, smtp, tls_context
from tests.support.run import Account, Run, wait_for
from tests.support.world import Remote, World

pytestmark = pytest.mark.single_machine

CA = trustme.CA()
MESSAGE = "Subject: {0}\r\nMessage-ID: <{0}@far.test>\r\n\r\nText.\r\n"


class OldHostThread:
    """The servers of an old host, in a thread of their own."""

    def __init__(self) -> None:
        self.host = OldHostServer(CA)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self.host.__aenter__())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patient(30))

    def close(self) -> None:
        self._run(self.host.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(patient(30))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as outside:
        yield outside


@pytest.fixture(scope="module")
def run(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    file: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    CA.cert_pem.write_to_path(file)
    made = Run(**world.settings(), POP3_LOGIN_DELAY_SECONDS="0", OLD_HOST_CA_FILE=str(file))
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def old() -> Iterator[OldHostServer]:
    servers = OldHostThread()
    yield servers.host
    servers.close()


@pytest.fixture
def mail(world: World) -> Remote:
    return world.remote("old-host.example")


def start(run: Run, world: World, old: OldHostServer, mail: Remote, domain: str) -> None:
    """Begin the move; the old host's own mail comes from OFFICE."""
    words = ["--imap", f"localhost:{old.imap}", "--pop3", f"localhost:{old.pop3}", "--smtp-tls", "opportunistic"]
    run.cli("domain", "move", "start", domain, "--smtp", f"{mail.host}:{world.smtp_port}", *words, "--from", OFFICE)


def send(run: Run, address: str, name: str, source: str = HOME) -> None:
    with smtp(run, source) as client:
        client.sendmail("a@far.example", [address], MESSAGE.format(name))


def names(run: Run, user: Account) -> list[str]:
    """The Message-IDs of INBOX here, or what the old host says instead."""
    with imaplib.IMAP4_SSL("localhost", run.port("IMAPS"), ssl_context=tls_context(run)) as client:
        client.login(user.address, user.password)
        client.select(readonly=True)
        _, found = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        return [part[1].decode().partition("<")[2].partition("@")[0] for part in found if isinstance(part, tuple)]


def says(what: Callable[[], object], error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        what()
    return str(caught.value)


def test_a_move_from_start_to_end(run: Run, world: World, old: OldHostServer, mail: Remote) -> None:
    user = run.mailbox(run.domain(), "anna")
    new = Account(f"berta@{user.domain}", "of the old host")
    old.users |= {user.address: user.password, new.address: new.password}
    start(run, world, old, mail, user.domain)
    assert run.cli("domain", "move", "status", user.domain)["phase"] == "old"

    # mail of anybody there goes there, and no mail of the old host comes back to it
    for each in (user, new):
        send(run, each.address, f"old-{each.address}")
    wait_for(lambda: len(mail.messages()) == 2)
    assert {each.recipients[0] for each in mail.messages()} == {user.address, new.address}
    with smtp(run, OFFICE) as client:
        client.mail("a@far.example")
        assert client.rcpt(user.address)[0] == 451
    # sessions are the old host's, and give a grant here
    with imaplib.IMAP4_SSL("localhost", run.port("IMAPS"), ssl_context=tls_context(run)) as client:
        assert "IDLE" in client.login(user.address, user.password)[1][0].decode()
        client.noop()
        assert client.response("OK")[1] == [b"the old host got NOOP"]
    assert "wrong user name" in says(
        lambda: imaplib.IMAP4_SSL("localhost", run.port("IMAPS"), ssl_context=tls_context(run)).login(
            user.address, "x"
        ),
        imaplib.IMAP4.error,
    )
    session = pop3(run, new, "127.0.0.77")
    assert session.noop() == b"+OK the old host got NOOP"
    grants = {(each["address"], each["mailbox"]) for each in run.cli("grant", "ls")}
    assert (run.source("127.0.0.77"), new.address) in grants
    with smtp(run, login=new, port="SUBMISSION", tls=True) as client:
        client.sendmail(new.address, ["x@far.example"], MESSAGE.format("relayed"))
    assert "5.7.8" in says(
        lambda: smtp(run, login=Account(new.address, "wrong"), port="SUBMISSION"), smtplib.SMTPException
    )

    # the switch ends sessions; what is here is here
    run.cli("domain", "move", "switch", user.domain)
    wait_for(lambda: isinstance(_told(session.noop), Exception), why="the session at the old host ends")
    for each in (user, new):
        send(run, each.address, "new")
        wait_for(lambda each=each: names(run, each) == ["new"])
    send(run, user.address, "of-the-old-host", OFFICE)
    wait_for(lambda: sorted(names(run, user)) == ["new", "of-the-old-host"])
    # what is unknown here still goes there
    send(run, f"clara@{user.domain}", "unknown")
    wait_for(lambda: len(mail.messages()) == 3)

    run.cli("domain", "move", "back", user.domain)
    send(run, user.address, "back")
    wait_for(lambda: len(mail.messages()) == 4)
    assert pop3(run, user).noop() == b"+OK the old host got NOOP"

    run.cli("domain", "move", "switch", user.domain)
    run.cli("domain", "move", "end", user.domain)
    assert run.cli("domain", "move", "status") == []
    assert not [each for each in run.cli("route", "ls") if each["value"] == user.domain]
    assert sorted(names(run, user)) == ["new", "of-the-old-host"]
    with smtp(run) as client:
        client.mail("a@far.example")
        assert client.rcpt(f"clara@{user.domain}")[0] == 550
    assert len(mail.messages()) == 4, "nothing went to the old host twice"


def _told(what: Callable[[], object]) -> object:
    try:
        return what()
    except (poplib.error_proto, OSError, EOFError) as error:
        return error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["start", "x.test", "--smtp", "h"], "name the old host's --imap or --pop3 server"),
        (["start", "x.test", "--smtp", "h:0", "--imap", "h"], "is not HOST or HOST:PORT"),
        (["start", "x.test", "--smtp", "h", "--imap", "h", "--smtp-tls", "none"], "--smtp-tls is starttls"),
        (["start", "x.test", "--smtp", "no.invalid", "--imap", "localhost"], "no.invalid has no address"),
        (["start", "x.test", "--smtp", "localhost", "--imap", "localhost"], "x.test"),
        (["switch", "x.test"], "x.test does not move; `postrider domain move start` begins it"),
        (["status", "x.test"], "x.test does not move"),
    ],
)
def test_what_operators_are_told(run: Run, words: list[str], told: str) -> None:
    done = run.cli_process("domain", "move", *words)
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
