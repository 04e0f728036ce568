"""The import of a vpopmail host: each domain's accounts and forwards, then its mail; repeated, it completes."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from auth_api.admin import AuthAdmin
from mailstore_api.admin import MailstoreAdmin
from mailstore_api.wire import LARGEST_IMPORTED
from postrider.moving.accounts import AccountImport
from postrider.moving.mail import MailImport
from postrider.moving.maildirs import count, source_folders
from postrider.moving.mapping import DomainPlan, PlannedMailbox, plan
from postrider.moving.mbox import source_folder
from postrider.moving.meter import Meter
from postrider.moving.notes import Notes
from postrider.moving.page import Sums
from vpopmail.domain import VpopmailDomain
from vpopmail.host import VpopmailHost
from vpopmail.tree import TreeFolder, Unreadable
from vpopmail.uidls import DOVECOT_FORMAT

#: Mailboxes whose mail is imported at once.
AT_ONCE = 4


class HostImport:
    """Imports a host. `mail` False: accounts and forwards only."""

    def __init__(
        self, auth: AuthAdmin, mailstore: MailstoreAdmin, notes: Notes, *, mail: bool, dovecot_format: str
    ) -> None:
        self._mailstore = mailstore
        self._notes = notes
        self._mail = mail
        self._format = dovecot_format
        self._accounts = AccountImport(auth, notes)
        self.sums = Sums()
        self.meter = Meter("messages")
        self.messages = {"imported": 0, "known": 0, "renumbered": 0}

    async def run(self, path: Path) -> None:
        """Import the host. Raises Unreadable, and the errors of the services' clients."""
        with ExitStack() as open_files:
            host = open_files.enter_context(VpopmailHost(str(path), self._notes.skipped))
            defaults = host.default_limits()
            if self._mail:
                uncounted = open_files.enter_context(VpopmailHost(str(path), _silent))
                self.meter.total = sum(_messages(domain) for domain in uncounted.domains())
            for domain in host.domains():
                wanted = plan(domain, defaults, self._notes)
                self.sums.add(wanted)
                ids = await self._accounts.make(wanted)
                if self._mail:
                    await self._bring_mail(domain, wanted, ids)
        self.meter.end()

    def record(self) -> dict[str, object]:
        """Return what was done, for --json."""
        return {"made": dict(self._accounts.made), "messages": self.messages}

    async def _bring_mail(self, domain: VpopmailDomain, wanted: DomainPlan, ids: dict[str, str]) -> None:
        waiting = iter(wanted.mailboxes)

        async def work() -> None:
            for mailbox in waiting:
                if mailbox.address in ids:
                    await self._mailbox(domain, mailbox, UUID(ids[mailbox.address]))

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    async def _mailbox(self, domain: VpopmailDomain, mailbox: PlannedMailbox, mailbox_id: UUID) -> None:
        try:
            with domain.home(mailbox.account) as home, home.folder("Maildir") as maildir:
                await self._maildir(maildir, mailbox_id)
        except Unreadable as error:
            self._notes.skipped(f"{mailbox.address}'s Maildir", str(error))

    async def _maildir(self, maildir: TreeFolder, mailbox_id: UUID) -> None:
        importing = MailImport(self._mailstore, mailbox_id, self._notes, self.meter, LARGEST_IMPORTED)
        for where, folder in source_folders(maildir, self._notes, LARGEST_IMPORTED, self._format):
            await importing.folder(folder, where)
        self.messages["imported"] += importing.taken
        self.messages["known"] += importing.known
        self.messages["renumbered"] += importing.renumbered


def _messages(domain: VpopmailDomain) -> int:
    total = 0
    for account in domain.accounts():
        try:
            with domain.home(account) as home, home.folder("Maildir") as maildir:
                total += count(maildir)
        except Unreadable:
            pass
    return total


def _silent(path: str, reason: str) -> None:
    """Say nothing: the import says it."""


async def import_mbox(
    path: Path, levels: tuple[str, ...], mailbox_id: UUID, mailstore: MailstoreAdmin, notes: Notes
) -> tuple[MailImport, Meter]:
    """Import an mbox file into a folder of a mailbox. Raises Unreadable, and the errors of the service's client."""
    meter = Meter("messages")
    importing = MailImport(mailstore, mailbox_id, notes, meter, LARGEST_IMPORTED)
    for folder in source_folder(path, levels, notes, LARGEST_IMPORTED):
        meter.total = len(folder.messages)
        await importing.folder(folder, str(path))
    meter.end()
    return importing, meter


async def import_maildir(
    path: Path, mailbox_id: UUID, mailstore: MailstoreAdmin, notes: Notes, dovecot_format: str = DOVECOT_FORMAT
) -> tuple[MailImport, Meter]:
    """Import one Maildir++ into one mailbox. Raises Unreadable, and the errors of the service's client."""
    with TreeFolder.root(str(path)) as maildir:
        if not maildir.has("cur"):
            raise Unreadable("is no Maildir: it has no folder cur")
        meter = Meter("messages", count(maildir))
        importing = MailImport(mailstore, mailbox_id, notes, meter, LARGEST_IMPORTED)
        for where, folder in source_folders(maildir, notes, LARGEST_IMPORTED, dovecot_format):
            await importing.folder(folder, where or "INBOX")
        meter.end()
    return importing, meter
