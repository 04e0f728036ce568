"""The message that tells an owner that the mailbox is almost full: one for each time that it fills up (docs/decisions/0057)."""

import asyncio
from email.utils import format_datetime
from uuid import UUID

from bodystore import BodyStore
from mailkit.errors import NotFound
from mailkit.ids import new_id
from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailkit.process.report import report
from mailstore.model.folder_names import INBOX_ID
from mailstore.model.quota import Account, Charge
from mailstore.storage.new_messages import new_message
from mailstore.storage.operations import Operations
from mailstore.writing.rendering import render_one
from mailstore_api.wire import Appended

#: Limit of the mailboxes that wait; one that finds no place gets its warning with a later message.
MOST_WAITING = 10_000
_MEGABYTE = 1024 * 1024

_TEXT = """\
From: Mail Delivery System <postmaster@{name}>
To: undisclosed-recipients:;
Subject: Your mailbox is almost full
Date: {date}
Message-ID: <{id}@{name}>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

Your mailbox holds {used:.1f} MB of at most {limit:.1f} MB ({percent} %).

When it is full, new mail for you waits for some time and is then returned
to its senders. Please delete what you no longer need, also in the folder
Trash. Some programs only mark messages as deleted and remove them when you
choose "Compact" or "Expunge".

This message is sent once. It comes again only after the mailbox has been
emptied to less than {again} % of its size.
"""


class QuotaWarner:
    """Writer of warnings, which are filed after the change that made them necessary, in transactions of their own."""

    def __init__(
        self, operations: Operations, bodies: BodyStore, clock: Clock, disk: Disk, charge: Charge, name: str
    ) -> None:
        self._operations = operations
        self._bodies = bodies
        self._clock = clock
        self._disk = disk
        self._charge = charge
        self._name = name
        self._waiting: set[UUID] = set()
        self._some = asyncio.Event()

    def see(self, mailbox_id: UUID, account: Account) -> None:
        """Have the owner warned if that is due. A warning that is lost with the process comes with the next message."""
        if account.needs_warning and len(self._waiting) < MOST_WAITING:
            self._waiting.add(mailbox_id)
            self._some.set()

    async def run(self) -> None:
        """Warn without end."""
        while True:
            await self._some.wait()
            await self.warn_all()

    async def warn_all(self) -> None:
        """Warn the owners that wait; an error of one is reported and costs the others nothing."""
        self._some.clear()
        while self._waiting:
            mailbox_id = self._waiting.pop()
            try:
                await self._warn(mailbox_id)
            except NotFound:
                pass  # purged meanwhile
            except Exception as error:
                report(error, "quota warning")

    async def _warn(self, mailbox_id: UUID) -> None:
        """File the warning unless it has been, in a transaction that holds the mailbox's row from the look to the note of it."""
        if self._disk.is_full():
            return
        now, body_id = self._clock.now(), new_id()
        account = await self._account(mailbox_id)
        if account is None:
            return
        message = self._message(account, body_id)
        view = await render_one(message)
        async with (
            translated(),
            self._bodies.entering([(body_id, message)], now) as entering,
            self._operations.operation(mailbox_id, body_id, Appended, now) as operation,
        ):
            if not operation.mailbox.account(self._charge).needs_warning:
                return
            folder = await operation.folders.lock(INBOX_ID)
            assert folder is not None
            await operation.store_bodies(entering, [(body_id, message)], now)
            given = await operation.folders.allocate(INBOX_ID, 1, 1, len(message))
            row = new_message(
                mailbox_id, INBOX_ID, given.first_uid, body_id, b"", len(message), 0, given.modseq, now, view, now
            )
            await operation.messages.insert([row])
            await operation.add_usage(len(message))
            await operation.note_warning(now)
            operation.notify()

    async def _account(self, mailbox_id: UUID) -> Account | None:
        """The account of a mailbox whose owner is to be warned; None if not."""
        async with self._operations.operation(mailbox_id, new_id(), Appended, self._clock.now()) as operation:
            account = operation.mailbox.account(self._charge)
        return account if account.needs_warning else None

    def _message(self, account: Account, message_id: UUID) -> bytes:
        text = _TEXT.format(
            name=self._name,
            date=format_datetime(self._clock.now()),
            id=message_id.hex,
            used=account.charged / _MEGABYTE,
            limit=account.quota.limit / _MEGABYTE,
            percent=account.charged * 100 // account.quota.limit,
            again=max(self._charge.warn_percent - 10, 0),
        )
        return text.replace("\n", "\r\n").encode()
