"""/v1/messages/order: the order that SORT has by one number, and the numbers (docs/decisions/0109)."""

from array import array

import pytest

from mailkit.errors import BadRequest
from mailstore_api.wire import ORDER_KEYS, OrderQuestion

from .conftest import uids
from .test_mailstore_backfill import make_old
from .test_mailstore_sort import ready as ready


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("key", ORDER_KEYS)
async def test_an_order_is_that_of_sort_with_what_is_compared(store, mailbox_id, ready, key, sign):
    sorted_by, _ = ready
    answer = await store.front.order(OrderQuestion(mailbox_id, 1, sign + key, 0))
    found, values = uids(answer.uids), list(array("q", answer.values))
    assert answer.status == "ok" and found == await sorted_by(sign + key)
    assert len(set(values)) > 1 and values == sorted(values, reverse=bool(sign))
    later = await store.front.order(OrderQuestion(mailbox_id, 1, sign + key, 10))
    of_each = dict(zip(found, values, strict=True))
    assert uids(later.uids) == [uid for uid in found if uid > 10]
    assert list(array("q", later.values)) == [of_each[uid] for uid in found if uid > 10]


async def test_what_has_no_order(store, mailbox_id, ready):
    assert (await store.front.order(OrderQuestion(mailbox_id, 99, "DATE", 0))).status == "gone"
    empty = await store.front.order(OrderQuestion(mailbox_id, 1, "DATE", 1000))
    assert (empty.status, empty.uids, empty.values) == ("ok", b"", b"")
    for key in ("SUBJECT", "--DATE", "", "DATE\0"):
        with pytest.raises(BadRequest):
            await store.front.order(OrderQuestion(mailbox_id, 1, key, 0))
    await make_old(store, "uid = 2")
    assert (await store.front.order(OrderQuestion(mailbox_id, 1, "DATE", 0))).status == "unfilled"
