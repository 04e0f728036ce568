"""The order of a folder's messages by a number that never changes, which front ends keep (docs/decisions/0109)."""

from mailkit.errors import BadRequest
from mailstore.reading.octets import Octets
from mailstore.reading.search import SearchBudget
from mailstore.storage.sort import SortRows
from mailstore_api.wire import ORDER_KEYS, Order, OrderQuestion

#: Octets in memory for each message: as PostgreSQL sends it, apart, and packed.
_OCTETS_EACH = 72
_KEYS = frozenset(ORDER_KEYS) | {f"-{each}" for each in ORDER_KEYS}


class Orders:
    """Orders of the messages of folders."""

    def __init__(self, rows: SortRows, octets: Octets) -> None:
        self._rows = rows
        self._octets = octets

    async def order(self, question: OrderQuestion) -> Order:
        """Return the messages with UIDs above `after` in order. Raises BadRequest for another key, OverLimit, and those of `Octets.of`."""
        if question.key not in _KEYS:
            raise BadRequest("not the key of an order")
        mailbox_id, folder = question.mailbox_id, (question.mailbox_id, question.folder_id)
        size = await self._rows.order_size(*folder, question.after)
        if size is None:
            return Order("gone")
        with SearchBudget() as budget:
            async with self._octets.of(mailbox_id, min(_OCTETS_EACH * max(size, 0), self._octets.limit)):
                found = await self._rows.in_order(*folder, question.key, question.after, budget.left)
                if found is None:
                    return Order("gone")
                return Order("unfilled") if found.unfilled else Order("ok", *found.packed())
