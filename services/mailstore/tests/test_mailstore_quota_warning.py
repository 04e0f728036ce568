"""One message for each time that a mailbox fills up, whoever files and however often (docs/decisions/0057)."""

import asyncio

import pytest

from mailkit.errors import Unavailable
from mailkit.testing.speed import until
from mailstore.model.quota import Account, Charge, Quota
from mailstore.parts import assemble
from mailstore_api.wire import QuotaQuestion

from .conftest import message, uids

LIMIT = {"quota_limit": 20_000, "limit_version": 2}


async def warnings(store, mailbox_id) -> int:
    """File what is due; return the number of warnings that the INBOX has."""
    await store.parts.warner.warn_all()
    return sum(b"Subject: Your mailbox is almost full\r\n" in raw for raw in (await store.texts(mailbox_id)).values())


async def test_one_message_at_ninety_per_cent(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=17_000), **LIMIT)
    assert await warnings(store, mailbox_id) == 0
    await store.deliver(mailbox_id, message(size=1000), **LIMIT)
    assert await warnings(store, mailbox_id) == 1
    raw = (await store.texts(mailbox_id))[3]
    assert b"Your mailbox holds 0.0 MB of at most 0.0 MB (90 %)" in raw and b"\r\n\r\n" in raw
    usage = await store.usage(mailbox_id)
    charged = (await store.front.quota(QuotaQuestion(mailbox_id, 0, 0))).charged
    assert usage == charged == sum(map(len, (await store.texts(mailbox_id)).values()))
    for _ in range(2):
        await store.append(mailbox_id, message(), **LIMIT)
        await store.copy(mailbox_id, [(2, 2)], "Sent", **LIMIT)
        await store.file(store.filing(mailbox_id, (await store.put(message(size=9000)))[0], **LIMIT))  # refused
    assert await warnings(store, mailbox_id) == 1


async def test_another_one_after_the_mailbox_was_emptied(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=9_000), message(size=9_500), **LIMIT)
    assert await warnings(store, mailbox_id) == 1
    await store.store(mailbox_id, [(3, 3)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    await store.append(mailbox_id, message(size=500), **LIMIT)  # 92 per cent, not emptied enough
    assert await warnings(store, mailbox_id) == 0
    await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    await store.append(mailbox_id, message(size=7_000), **LIMIT)
    assert await warnings(store, mailbox_id) == 0
    await store.append(mailbox_id, message(size=2_000), **LIMIT)
    assert await warnings(store, mailbox_id) == 1


@pytest.mark.parametrize("how", ["append", "copy", "refused"])
async def test_whatever_fills_it(store, mailbox_id, how):
    await store.deliver(mailbox_id, message(size=9_500), **LIMIT)
    if how == "append":
        await store.append(mailbox_id, message(size=9_000), **LIMIT)
    elif how == "copy":
        await store.copy(mailbox_id, [(1, 1)], "Sent", **LIMIT)
    else:  # a plan was made smaller
        await store.append(mailbox_id, message(), quota_limit=10_000, limit_version=3)
        (body_id,) = await store.put(message(size=9_000))
        assert await store.file(store.filing(mailbox_id, body_id, quota_limit=10_000, limit_version=3)) == ["full"]
    assert await warnings(store, mailbox_id) == 1


async def test_replicas_and_repetitions_file_one(store, settings, pool, mailbox_id):
    parts = [
        assemble(settings, pool, store.bodies, store.clock, disk=store.disk),
        assemble(settings, pool, store.bodies, store.clock, disk=store.disk),
        store.parts,
    ]
    await store.deliver(mailbox_id, message(size=19_000), **LIMIT)
    due = Account(19_000, 1, Quota(20_000, 2), Charge(0, 100, 90))
    for each in parts * 2:
        each.warner.see(mailbox_id, due)
    await asyncio.gather(*(each.warner.warn_all() for each in parts))
    for each in parts:
        each.warner.see(mailbox_id, due)
        await each.warner.warn_all()
    assert await warnings(store, mailbox_id) == 1


async def test_a_warning_that_failed_comes_with_the_next_message(store, mailbox_id, monkeypatch):
    async def away(*_arguments: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store.parts.warner, "_warn", away)
        await store.deliver(mailbox_id, message(size=19_000), **LIMIT)
        assert await warnings(store, mailbox_id) == 0
    store.disk.full = True
    await store.append(mailbox_id, message(), **LIMIT)
    store.disk.full = False
    assert await warnings(store, mailbox_id) == 0
    await store.deliver(mailbox_id, message(), **LIMIT)
    assert await warnings(store, mailbox_id) == 1


async def test_a_purged_mailbox_is_passed_over(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=19_000), **LIMIT)
    await store.admin.purge_mailbox(str(mailbox_id))
    await store.parts.warner.warn_all()
    assert (await store.admin.show_usage(str(mailbox_id)))["messages"] == 0


async def test_the_task_files_it_and_the_wait_is_bounded(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.writing.quota_warning.MOST_WAITING", 0)
    await store.deliver(mailbox_id, message(size=19_000), **LIMIT)
    assert await warnings(store, mailbox_id) == 0
    monkeypatch.setattr("mailstore.writing.quota_warning.MOST_WAITING", 1)
    task = asyncio.create_task(store.parts.warner.run())
    try:
        await store.deliver(mailbox_id, message(), **LIMIT)

        async def filed() -> bool:
            return len(uids((await store.open(mailbox_id)).uids)) == 3

        while not await filed():
            await until(lambda: not store.parts.warner._waiting)
    finally:
        task.cancel()


def test_no_warning_by_setting_or_without_a_quota():
    for charge, quota in ((Charge(0, 100, 0), Quota(1000, 1)), (Charge(0, 100, 90), Quota())):
        account = Account(999, 1, quota, charge)
        account.take(1)
        assert not account.needs_warning
