"""A bounded load that makes everything happen that the dashboards show, until it is told to stop."""

import contextlib
import imaplib
import poplib
import smtplib
import threading
import traceback
from collections.abc import Callable, Iterator

from mailkit.testing.speed import patient
from tests.support.clients import OFFICE, STRANGER, Imap, imap, pop3, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Account, Run
from tests.support.world import World

ROUNDS = 3000


@contextlib.contextmanager
def everything(run: Run, world: World) -> Iterator[None]:
    """Senders and readers at work inside the block; what one of them meets unexpectedly fails the test at its end."""
    domain = run.domain()
    people = [run.mailbox(domain, name) for name in ("anna", "ben")]
    takes, refuses, defers = world.remote(), world.remote(), world.remote()
    refuses.sink.behaviour.rcpt = lambda address: ["550 5.1.1 nobody"]
    defers.sink.behaviour.dots = [["451 4.7.1 later"], ["250 2.0.0 this time"]] * (2 * ROUNDS)
    run.cli("badmailfrom", "add", "spam@far.example")
    stop = threading.Event()
    trouble: list[str] = []

    def keep(work: Callable[[], None]) -> None:
        try:
            for _ in range(ROUNDS):
                if stop.is_set():
                    return
                work()
                stop.wait(0.1)
        except Exception:
            trouble.append(traceback.format_exc())

    far = [f"x@{each.domain}" for each in (takes, refuses, defers)]
    jobs = [
        lambda: send(run, people, far),
        lambda: be_refused(run, domain),
        lambda: read(run, people[0]),
        lambda: fetch_by_pop3(run, people[1]),
    ]
    idle = imap(run, people[0])
    idle.send(b"a IDLE\r\n")
    threads = [threading.Thread(target=keep, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(patient(60))
        idle.send(b"DONE\r\n")
        idle.shutdown()
    assert not trouble, trouble[0]


def send(run: Run, people: list[Account], far: list[str]) -> None:
    """In from the world, out by AUTH and by OPEN-SMTP."""
    with smtp(run, STRANGER) as client:
        for account in people:
            client.sendmail("friend@far.example", [account.address], message("friend@far.example", account.address))
    with smtp(run, STRANGER, "SUBMISSION", login=people[0]) as client:
        client.sendmail(people[0].address, far, message(people[0].address, "far"))
    with smtp(run, OFFICE) as client:
        client.mail(people[1].address)
        if client.rcpt(far[0])[0] == 250:  # from the first POP3 login on
            client.data(message(people[1].address, "far"))


def be_refused(run: Run, domain: str) -> None:
    """S10, S12, S14, S16, a wrong password, an unknown command."""
    with smtp(run, STRANGER) as client:
        client.mail("a@far.example")
        client.rcpt("somebody@far.example")
        client.rcpt(f"nobody@{domain}")
        client.rset()
        client.mail("spam@far.example")
        client.mail("a@gone.example")
        client.docmd("WHAT")
    with contextlib.suppress(smtplib.SMTPAuthenticationError):
        smtp(run, STRANGER, tls=True, login=Account(f"nobody@{domain}", "wrong")).close()


def read(run: Run, account: Account) -> None:
    client: Imap = imap(run, account)
    client.append("INBOX", "", "", message("a@far.example", account.address))
    client.fetch("1:*", "(FLAGS ENVELOPE BODY.PEEK[])")
    client.copy("1", "Sent")
    client.store("1:*", "+FLAGS", "\\Deleted")  # or each round would fetch more than the one before
    client.expunge()
    client.search(None, "ALL")
    client.select("INBOX")
    client.create("Sent")  # NO: it is there
    with contextlib.suppress(imaplib.IMAP4.error):
        client.search(None, "WHAT")  # BAD
    client.logout()


def fetch_by_pop3(run: Run, account: Account) -> None:
    client = pop3(run, account, OFFICE)
    count, _ = client.stat()
    for number in range(1, min(count, 20) + 1):
        client.retr(number)
        client.dele(number)
    with contextlib.suppress(poplib.error_proto):
        client.retr(9999)
    client.quit()
    bare = smtp(run, STRANGER, "SMTPS")
    assert tls_context(run)
    bare.quit()
