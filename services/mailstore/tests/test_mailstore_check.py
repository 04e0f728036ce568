"""The check of what mailstore holds: each kind of damage is found, and repaired where that is possible."""

from uuid import UUID

import pytest

from mailkit.errors import BadRequest
from mailkit.ids import new_id

from .conftest import message

MESSAGE = "mailbox_id = $1 and folder_id = 1 and uid = 2"
#: A damage, the kinds that are found, and whether it can be repaired.
DAMAGES = {
    "messages": (
        "update mailstore.folder set messages = messages + 3 where mailbox_id = $1 and folder_id = 1",
        ["counters"],
        True,
    ),
    "unseen": ("update mailstore.folder set unseen = 1 where mailbox_id = $1 and folder_id = 1", ["counters"], True),
    "recent": ("update mailstore.folder set recent = 9 where mailbox_id = $1 and folder_id = 1", ["counters"], True),
    "octets": ("update mailstore.folder set octets = 7 where mailbox_id = $1 and folder_id = 1", ["counters"], True),
    "uidnext": ("update mailstore.folder set uidnext = 2 where mailbox_id = $1 and folder_id = 1", ["counters"], True),
    "modseq": (
        "update mailstore.folder set highest_modseq = 1 where mailbox_id = $1 and folder_id = 1",
        ["counters"],
        True,
    ),
    "usage": ("update mailstore.mailbox set usage = 5 where id = $1", ["quota"], True),
    "recoverable": (
        "update mailstore.mailbox set recoverable_messages = 0, recoverable_octets = 1, recoverable_since = null "
        "where id = $1",
        ["quota"],
        True,
    ),
    "message": (f"delete from mailstore.message where {MESSAGE}", ["rendered", "counters", "quota"], True),
    "rendered": (f"delete from mailstore.rendered where {MESSAGE}", ["rendered"], True),
    "size": (f"update mailstore.message set size = size + 1 where {MESSAGE}", ["counters", "quota", "size"], True),
    "folder": ("delete from mailstore.folder where mailbox_id = $1 and folder_id = 1", ["folder"], True),
    "body": (
        f"delete from bodies.body where id = (select body_id from mailstore.message where {MESSAGE})",
        ["body"],
        False,
    ),
}


async def checked(store, *, fix=False, mailbox_id=None):
    """The findings, without the candidates' hour."""
    parts = [part async for part in store.admin.check(fix=fix, mailbox_id=mailbox_id and str(mailbox_id))]
    return [finding for part in parts for finding in part["findings"]]


async def filled(store, mailbox_id):
    await store.deliver(mailbox_id, *[message(str(n)) for n in range(4)])
    await store.append(mailbox_id, message("sent"), "Sent", ["\\Seen"])
    await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    await store.open(mailbox_id, read_only=False)


async def test_what_is_right_is_left_alone(store, mailbox_id):
    for each in (mailbox_id, new_id()):
        await filled(store, each)
    before = await store.pool.fetch("select * from mailstore.folder order by 1, 2")
    assert await checked(store, fix=True) == []
    assert await store.pool.fetch("select * from mailstore.folder order by 1, 2") == before


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found_and_repaired(store, mailbox_id, damage):
    statement, kinds, repaired = DAMAGES[damage]
    other = new_id()
    for each in (mailbox_id, other):
        await filled(store, each)
    texts = await store.fetch(mailbox_id, ["ENVELOPE", "BODYSTRUCTURE"])
    await store.pool.execute(statement, mailbox_id)
    found = await checked(store)
    assert sorted(each["kind"] for each in found) == sorted(kinds)
    assert {each["mailbox_id"] for each in found} == {str(mailbox_id)} and not any(each["fixed"] for each in found)
    assert len(await checked(store)) == len(found)
    fixed = await checked(store, fix=True)
    # a folder that is made again gets its counters
    assert {each["kind"] for each in fixed} - {"counters"} == set(kinds) - {"counters"}
    assert all(each["fixed"] for each in fixed) == repaired
    assert (await checked(store) == []) == repaired
    if repaired:
        await store.usage(mailbox_id)
    if damage in ("rendered", "size"):
        assert await store.fetch(mailbox_id, ["ENVELOPE", "BODYSTRUCTURE"]) == texts
    if damage == "folder":
        assert (await store.folders(mailbox_id))["Recovered 1"].messages == 3


async def test_a_body_without_references_is_given_to_the_collector(store, mailbox_id):
    await filled(store, mailbox_id)
    await store.put(message("of nobody"))
    store.pass_time(3 * 86400)
    assert await checked(store) == []  # the collector knows of it
    await store.pool.execute("delete from bodies.candidate")
    assert [each["kind"] for each in await checked(store)] == ["unreferenced"]
    await checked(store, fix=True)
    assert await store.pool.fetchval("select count(*) from bodies.candidate") == 1
    assert await checked(store) == []


async def test_it_goes_on_part_by_part_and_ends(store, monkeypatch):
    monkeypatch.setattr("mailstore.upkeep.check.PAGE", 2)
    monkeypatch.setattr("mailstore.upkeep.check.TURN", -1.0)
    mailboxes = [new_id() for _ in range(3)]
    for each in mailboxes:
        await filled(store, each)
        await store.pool.execute(DAMAGES["body"][0], each)
    store.pass_time(3 * 86400)
    parts = [part async for part in store.admin.check()]
    assert len(parts) > 6
    assert [sum(part[name] for part in parts) for name in ("mailboxes", "messages", "bodies")] == [3, 12, 12]
    assert sorted(f["mailbox_id"] for part in parts for f in part["findings"]) == sorted(map(str, mailboxes))
    only = await checked(store, mailbox_id=mailboxes[1])
    assert [each["mailbox_id"] for each in only] == [str(mailboxes[1])]


async def test_a_place_that_was_not_given_is_refused(store):
    for wrong in (
        "x",
        "mailbox:1:2:3",
        f"other:{UUID(int=1)}:0:0",
        f"body:{UUID(int=1)}:{2**40}:0",
        f"body:{UUID(int=1)}:0:a",
    ):
        with pytest.raises(BadRequest):
            await store.admin.json("POST", "/v1/check", {"after": wrong})
