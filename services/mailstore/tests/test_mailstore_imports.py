"""Import from another system: UIDs, UIDVALIDITY, flags, dates, UIDLs; nothing twice; what arrives meanwhile stays."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from mailkit.errors import BadRequest, NotFound
from mailkit.ids import new_id
from mailstore_api.wire import (
    UID_GAP,
    Changes,
    ChangesQuestion,
    Imported,
    ImportedMessage,
    ImportFolder,
    ImportList,
    KnownQuestion,
    OpenFolder,
    OpenMaildrop,
)

from .conftest import masks, message, uids

WHEN = 1_000_000_000.0


def key(n: int) -> bytes:
    return n.to_bytes(16, "big")


def one(n: int, **more: object) -> ImportedMessage:
    return ImportedMessage(len(message(f"n{n}")), key(n), WHEN + n, **more)  # type: ignore[arg-type]


async def take(store, box: UUID, items: list[ImportedMessage], folder_id: int = 1, uidvalidity: int = 7) -> Imported:
    texts = b"".join(message(f"n{int.from_bytes(each.key, 'big')}") for each in items)
    return await store.admin.import_messages(ImportList(box, folder_id, uidvalidity, items), texts)


async def begin(store, box: UUID, name: str = "INBOX", uidvalidity: int = 7, uidnext: int = 6000, **more: object):
    return await store.admin.import_folder(ImportFolder(box, name, uidvalidity, uidnext, **more))


async def uidls(store, box: UUID) -> list[str]:
    drop = await store.front.open_maildrop(OpenMaildrop(box, new_id()))
    return drop.uidls.decode().split("\n")


async def test_messages_keep_uids_flags_dates_and_uidls(store):
    box = new_id()
    assert (await begin(store, box)).uidvalidity == 7
    items = [
        one(1, uid=17, flags=["\\Seen", "$Forwarded"], uidl="1.M1P1.old,S=12"),
        one(2, uid=4001, flags=["\\Flagged"]),
    ]
    assert await take(store, box, items) == Imported("ok", 2)
    folder = await store.open(box)
    assert (folder.uidvalidity, uids(folder.uids), folder.keywords) == (7, [17, 4001], ["$Forwarded"])
    assert masks(folder.flags) == [8 | 256, 2]
    assert folder.uidnext == 6000 + UID_GAP
    dates = await store.pool.fetch(
        "select extract(epoch from internaldate)::float8 as at from mailstore.message order by uid"
    )
    assert [row["at"] for row in dates] == [WHEN + 1, WHEN + 2]
    assert await store.texts(box) == {17: message("n1"), 4001: message("n2")}
    assert await uidls(store, box) == ["1.M1P1.old,S=12", ""]
    assert await store.usage(box) == 2 * len(message("n1"))


async def test_a_second_run_changes_nothing_also_what_was_deleted_since(store):
    box = new_id()
    await begin(store, box)
    items = [one(n, uid=n, flags=["\\Deleted"] if n == 2 else []) for n in range(1, 6)]
    assert (await take(store, box, items)).taken == 5
    await store.expunge(box)
    assert uids((await store.open(box)).uids) == [1, 3, 4, 5]
    before = await store.open(box)
    assert (await begin(store, box)).uidvalidity == 7
    assert await take(store, box, items) == Imported("ok", 0)
    assert await store.admin.known_imports(KnownQuestion(box, key(1) + key(9) + key(2))) == [True, False, True]
    assert msgspec.structs.replace(await store.open(box), recent_from=0) == msgspec.structs.replace(
        before, recent_from=0
    )
    await store.usage(box)


async def test_a_batch_of_which_half_is_known_brings_the_other_half(store):
    box = new_id()
    await begin(store, box)
    await take(store, box, [one(1, uid=1), one(2, uid=2)])
    answers = await asyncio.gather(*(take(store, box, [one(n, uid=n) for n in range(1, 5)]) for _ in range(4)))
    assert sorted(each.taken for each in answers) == [0, 0, 0, 2]
    assert uids((await store.open(box)).uids) == [1, 2, 3, 4]
    await store.usage(box)


async def test_mail_that_arrives_meanwhile_stays_and_keeps_its_uid(store):
    box = new_id()
    await begin(store, box)
    await take(store, box, [one(1, uid=1)])
    await store.deliver(box, message("new"))
    assert await take(store, box, [one(2, uid=5500)]) == Imported("ok", 1)
    folder = await store.open(box)
    assert uids(folder.uids) == [1, 5500, 6000 + UID_GAP]
    assert (await store.texts(box))[6000 + UID_GAP].endswith(message("new"))
    await store.usage(box)


async def test_a_folder_that_held_mail_keeps_its_uidvalidity_and_gives_new_uids(store):
    box = new_id()
    await store.deliver(box, message("new"))
    before = await store.open(box)
    assert (await begin(store, box)).uidvalidity == before.uidvalidity != 7
    assert await take(store, box, [one(1, uid=1), one(2)]) == Imported("ok", 2, 1)
    assert uids((await store.open(box)).uids) == [1, 2, 3]
    await store.usage(box)


async def test_uids_that_are_taken_or_were_are_not_given_again(store):
    box = new_id()
    await begin(store, box)
    await take(store, box, [one(1, uid=5), one(2, uid=6, flags=["\\Deleted"])])
    await store.expunge(box, [(6, 6)])
    assert await take(store, box, [one(3, uid=5), one(4, uid=6), one(5, uid=7), one(6, uid=7)]) == Imported("ok", 4, 3)
    first = 6000 + UID_GAP
    assert uids((await store.open(box)).uids) == [5, 7, first, first + 1, first + 2]
    assert await take(store, box, [one(7, uid=first + 50)]) == Imported("ok", 1)
    assert (await store.open(box)).uidnext == first + 51


async def test_sessions_do_not_go_on_with_what_they_know_of_the_folder(store):
    box = new_id()
    await begin(store, box)
    await store.deliver(box, message("new"))
    known = await store.open(box)
    await take(store, box, [one(1, uid=1)])
    assert (await store.front.changes(ChangesQuestion(box, 1, known.highest_modseq))) == Changes("expired")
    again = await store.front.open_folder(
        OpenFolder(box, "INBOX", True, known_folder_id=1, known_modseq=known.highest_modseq)
    )
    assert uids(again.uids) == [1, 6000 + UID_GAP]


async def test_folders_and_subscriptions(store):
    box = new_id()
    made = await begin(store, box, "Work/2009", 1234, 50, subscribe=True)
    assert (made.status, made.uidvalidity) == ("ok", 1234)
    await take(store, box, [one(1, uid=49)], made.folder_id, 1234)
    found = await store.folders(box)
    assert (found["Work/2009"].uidvalidity, found["Work/2009"].subscribed, found["Work/2009"].messages) == (
        1234,
        True,
        1,
    )
    assert not found["Work"].selectable, "the other system had no such folder"
    assert (await begin(store, box, "a//b")).status == "cannot"
    assert (await begin(store, box, "Big", 2**32 - 2)).uidvalidity != 2**32 - 2
    later = await begin(store, box, "Later", 0)
    assert later.uidvalidity > found["Work/2009"].uidvalidity
    assert (await take(store, box, [one(5)], 99)).status == "gone"


async def test_a_full_mailbox_comes_over_whole(store):
    box = new_id()
    await store.deliver(box, message("first"), quota_limit=25 << 20)
    await store.pool.execute("update mailstore.mailbox set quota_limit = 100 where id = $1", box)
    assert (await take(store, box, [one(1), one(2)])).taken == 2


async def test_what_is_malformed_is_refused(store):
    box = new_id()
    await begin(store, box)
    for wrong in (
        one(1, uid=2**32),
        one(1, uid=-1),
        one(1, uidl="a b"),
        one(1, uidl="ü"),
        one(1, uidl="x" * 251),
        msgspec.structs.replace(one(1), key=b"short"),
        msgspec.structs.replace(one(1), internal_date=-1.0),
        msgspec.structs.replace(one(1), size=7),
    ):
        with pytest.raises(BadRequest):
            await store.admin.import_messages(ImportList(box, 1, 7, [wrong]), message("n1"))
    for keys in (b"x", b"x" * 16 * 10_001):
        with pytest.raises(BadRequest):
            await store.admin.known_imports(KnownQuestion(box, keys))
    with pytest.raises(BadRequest):
        await begin(store, box, uidvalidity=2**32)
    assert (await store.open(box)).uids == b""


async def test_odd_messages(store):
    box = new_id()
    await begin(store, box)
    texts = [b"", b"no header", b"a: \xff\r\n\r\n" + b"x" * 70_000, b"From x@y\r\na: b\r\n\r\nlone\rCR"]
    items = [ImportedMessage(len(each), key(n), WHEN, uid=n + 1) for n, each in enumerate(texts)]
    assert (await store.admin.import_messages(ImportList(box, 1, 7, items), b"".join(texts))).taken == len(texts)
    assert await store.texts(box) == dict(enumerate(texts, 1))


async def test_a_removed_mailbox_imports_nothing_and_leaves_nothing(store):
    box = new_id()
    await begin(store, box)
    await take(store, box, [one(1)])
    assert await store.admin.purge_mailbox(str(box)) == 1
    assert await store.pool.fetchval("select count(*) from mailstore.imported where mailbox_id = $1", box) == 0
    for call in (begin(store, box), take(store, box, [one(2)])):
        with pytest.raises(NotFound):
            await call
