"""The end of messages that could be undeleted: after their days, or the oldest where more are there than are kept (docs/decisions/0120)."""

from datetime import timedelta
from uuid import UUID

from bodystore import BodyStore
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailstore.model.quota import Charge
from mailstore.storage.operations import MailboxTransaction
from mailstore.storage.recoverable import KeptOf
from mailstore.storage.retention import Retention

log = get_logger()

#: Mailboxes that are looked for at once, and limit of the messages removed by one transaction.
MAILBOXES = 100
SLICE = 1000


class Forgetter:
    """Removes recoverable messages in slices, a mailbox and SLICE messages at a time."""

    def __init__(self, retention: Retention, bodies: BodyStore, clock: Clock, days: int, charge: Charge) -> None:
        self._retention = retention
        self._bodies = bodies
        self._clock = clock
        self._keep = timedelta(days=days)
        self._charge = charge

    async def round(self, lease: Singleton) -> None:
        """Remove all that is due. A mailbox that another session has locked has its turn in the next round. Raises LeaseLost."""
        busy: set[UUID] = set()
        forgotten = 0
        while await lease.mine():
            due = await self._retention.with_recoverable(self._clock.now() - self._keep, MAILBOXES + len(busy))
            todo = [mailbox_id for mailbox_id in due if mailbox_id not in busy]
            if not todo:
                break
            for mailbox_id in todo:
                if not await lease.mine():
                    return
                async with self._retention.of_mailbox(mailbox_id) as transaction:
                    if transaction is None:
                        busy.add(mailbox_id)
                    else:
                        forgotten += await self._slice(transaction)
        if forgotten:
            log.info("maintenance", step="recoverable", removed=forgotten)

    async def _slice(self, transaction: MailboxTransaction) -> int:
        """Remove up to SLICE messages of a mailbox; note when it has to be looked at again."""
        now = self._clock.now()
        oldest = await transaction.recoverable.oldest(SLICE + 1)
        state = await transaction.recoverable.state()
        messages, excess = state.messages, self._excess(state)
        count = 0
        while count < len(oldest[:SLICE]):
            each = oldest[count]
            if each.at >= now - self._keep and excess <= 0 and messages <= self._charge.most_messages:
                break
            count, messages = count + 1, messages - 1
            excess -= each.size + self._charge.row_bytes
        taken = await transaction.recoverable.take([each.number for each in oldest[:count]])
        await transaction.release_bodies(self._bodies, [each.body_id for each in taken], now)
        left = oldest[count:]
        too_many = bool(left) and (excess > 0 or messages > self._charge.most_messages)
        await transaction.recoverable.set_since(left[0].at if left else None, too_many=too_many)
        return len(taken)

    def _excess(self, state: KeptOf) -> int:
        """Octets of a mailbox above its quota; a mailbox whose quota is not known yet has none."""
        charged = state.octets + state.messages * self._charge.row_bytes
        return charged - state.quota_limit if state.limit_version else 0
