"""The dry run of `postrider import vpopmail`: reads all, changes nothing."""

from contextlib import ExitStack
from pathlib import Path

from postrider.moving.maildirs import count
from postrider.moving.mapping import DomainPlan, plan
from postrider.moving.meter import Meter
from postrider.moving.notes import Notes
from postrider.moving.page import Sums
from vpopmail.domain import VpopmailDomain
from vpopmail.host import VpopmailHost
from vpopmail.tree import Unreadable


def dry_run(path: Path, file: Path | None) -> tuple[Sums, Notes]:
    """Return what a host becomes; `file` gets all notes. Raises Unreadable, OSError for `file`."""
    with ExitStack() as open_files:
        notes = Notes(open_files.enter_context(file.open("w", encoding="utf-8")) if file else None)
        host = open_files.enter_context(VpopmailHost(str(path), notes.skipped))
        defaults, sums, meter = host.default_limits(), Sums(), Meter("domains", host.count())
        if defaults:
            notes.add("no place", "etc/vlimits.default", "limits of all domains")
        for domain in host.domains():
            wanted = plan(domain, defaults, notes)
            sums.add(wanted)
            sums.add_messages(_messages(domain, wanted, notes))
            meter.add()
        meter.end()
    return sums, notes


def _messages(domain: VpopmailDomain, wanted: DomainPlan, notes: Notes) -> int:
    """Return the number of messages in the Maildirs of a domain; those that cannot be read are noted."""
    total = 0
    for mailbox in wanted.mailboxes:
        try:
            with domain.home(mailbox.account) as home, home.folder("Maildir") as maildir:
                total += count(maildir)
        except Unreadable as error:
            notes.skipped(f"{mailbox.address}'s Maildir", str(error))
    return total
