"""POP3's side: the lock as a lease, stealing it when it ran out, reading, and leaving in one step."""

import asyncio
import tracemalloc
from array import array

import pytest

from mailkit.errors import BadRequest, NotFound, Unanswered
from mailkit.ids import new_id
from mailstore.reading.top import Top
from mailstore_api.wire import CloseMaildrop, MaildropLease, OpenMaildrop, ReadAhead, ReadMaildrop

from .conftest import PREFIX, message, uids


def packed(*numbers):
    return array("I", numbers).tobytes()


async def read(store, question):
    return b"".join([piece async for piece in store.front.read_maildrop(question)])


async def test_a_session_from_open_to_close(store, mailbox_id):
    bodies = [message("one"), message("two"), message("three", size=900)]
    await store.deliver(mailbox_id, *bodies)
    session = new_id()
    drop = await store.front.open_maildrop(OpenMaildrop(mailbox_id, session))
    assert (drop.status, uids(drop.uids), drop.folder_id) == ("ok", [1, 2, 3], 1)
    assert list(array("I", drop.sizes)) == [len(PREFIX + body) for body in bodies]
    assert drop.uidvalidity == (await store.open(mailbox_id)).uidvalidity
    for uid, body in enumerate(bodies, 1):
        assert await read(store, ReadMaildrop(mailbox_id, 1, uid)) == PREFIX + body
    closed = await store.front.close_maildrop(CloseMaildrop(mailbox_id, session, packed(1, 3)))
    assert (closed.status, closed.removed) == ("ok", 2)
    again = await store.front.close_maildrop(CloseMaildrop(mailbox_id, session, packed(1, 3)))
    assert again == closed  # the first answer was lost on its way
    assert uids((await store.open(mailbox_id)).uids) == [2]
    assert await store.usage(mailbox_id) == len(PREFIX + bodies[1])
    with pytest.raises(NotFound):
        await read(store, ReadMaildrop(mailbox_id, 1, 1))


async def test_reading_ahead_gives_what_reading_one_by_one_gives(store, mailbox_id):
    bodies = [message("one"), message("two", size=900), message("large", size=300_000), message("four")]
    await store.deliver(mailbox_id, *bodies)
    found = await store.front.read_ahead(ReadAhead(mailbox_id, 1, packed(1, 2, 9)))
    assert found == [PREFIX + bodies[0], PREFIX + bodies[1], None]
    assert await store.front.read_ahead(ReadAhead(mailbox_id, 1, packed(2, 3, 4))) == [PREFIX + bodies[1], None, None]
    for wrong in (b"", b"123", packed(*range(1, 102))):
        with pytest.raises(BadRequest):
            await store.front.read_ahead(ReadAhead(mailbox_id, 1, wrong))


async def test_top(store, mailbox_id):
    long = message("long", "first\r\nsecond\r\n" + "line of it\r\n" * 60_000)
    await store.deliver(mailbox_id, message("t", "first\r\nsecond\r\nthird"), long)
    head = PREFIX + message("t", "")[:-2]
    for lines, text in [(0, b""), (1, b"first\r\n"), (2, b"first\r\nsecond\r\n"), (9, b"first\r\nsecond\r\nthird\r\n")]:
        assert await read(store, ReadMaildrop(mailbox_id, 1, 1, lines)) == head + text
    whole = PREFIX + long
    for lines in (0, 2, 30_000, 70_000):
        top = await read(store, ReadMaildrop(mailbox_id, 1, 2, lines))
        assert whole.startswith(top) and top[len(PREFIX) :].partition(b"\r\n\r\n")[2].count(b"\r\n") == min(
            lines, 60_003
        )


def test_top_cuts_at_the_same_place_whatever_the_pieces():
    for raw in (b"A: 1\r\nB: 2\r\n\r\none\r\ntwo\r\n\r\nfour\r\nfive", b"\r\none\r\ntwo\r\n", b"A: 1\r\n", b"no end"):
        for lines in range(7):
            whole = Top(lines).cut(raw)
            head, blank, body = (b"\r\n" + raw).partition(b"\r\n\r\n")
            assert whole == (head + blank + b"".join(body.splitlines(keepends=True)[:lines]))[2:]
            for size in (1, 2, 3, 5):
                top, got = Top(lines), b""
                for at in range(0, len(raw), size):
                    got += top.cut(raw[at : at + size])
                    if top.complete:
                        break
                assert got == whole, (raw, lines, size)


async def test_a_large_message_is_never_whole_in_memory(store, mailbox_id):
    (body_id,) = await store.put(message(size=30 * 1024 * 1024))
    assert await store.file(store.filing(mailbox_id, body_id, quota_limit=2**40)) == ["filed"]

    async def octets(lines):
        return sum(
            [len(piece) async for piece in store.parts.steps.retriever.message(ReadMaildrop(mailbox_id, 1, 1, lines))]
        )

    for lines in (-1, 10**9):
        await octets(lines)
        tracemalloc.start()
        try:
            assert await octets(lines) == 30 * 1024 * 1024 + len(PREFIX)
            assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
        finally:
            tracemalloc.stop()


async def test_a_body_that_is_lost_breaks_the_answer_off(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=2_000_000))
    await store.pool.execute("delete from bodies.chunk where n >= 2")
    with pytest.raises(Unanswered):
        await read(store, ReadMaildrop(mailbox_id, 1, 1))


async def test_only_one_of_many_gets_the_lock(store, mailbox_id):
    sessions = [new_id() for _ in range(8)]
    answers = await asyncio.gather(*(store.front.open_maildrop(OpenMaildrop(mailbox_id, s)) for s in sessions))
    assert sorted(answer.status for answer in answers) == ["in_use"] * 7 + ["ok"]
    winner = sessions[[answer.status for answer in answers].index("ok")]
    assert (await store.front.open_maildrop(OpenMaildrop(mailbox_id, winner))).status == "ok"  # its own repeat


async def test_a_lease_that_ran_out_is_taken_and_its_session_deletes_nothing(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    dead, alive = new_id(), new_id()
    assert (await store.front.open_maildrop(OpenMaildrop(mailbox_id, dead))).status == "ok"
    store.pass_time(40)
    assert await store.front.renew_maildrops([MaildropLease(mailbox_id, dead)]) == [True]
    store.pass_time(59)
    assert (await store.front.open_maildrop(OpenMaildrop(mailbox_id, alive))).status == "in_use"
    store.pass_time(2)
    assert (await store.front.open_maildrop(OpenMaildrop(mailbox_id, alive))).status == "ok"
    leases = [MaildropLease(mailbox_id, dead), MaildropLease(mailbox_id, alive), MaildropLease(new_id(), alive)]
    assert await store.front.renew_maildrops(leases) == [False, True, False]
    lost = await store.front.close_maildrop(CloseMaildrop(mailbox_id, dead, packed(1)))
    assert lost.status == "lost" and uids((await store.open(mailbox_id)).uids) == [1]
    assert (await store.front.close_maildrop(CloseMaildrop(mailbox_id, alive, packed(1)))).removed == 1


async def test_a_lease_that_ran_out_is_no_lock_for_its_own_close(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    session = new_id()
    await store.front.open_maildrop(OpenMaildrop(mailbox_id, session))
    store.pass_time(61)
    assert await store.front.renew_maildrops([MaildropLease(mailbox_id, session)]) == [False]
    assert (await store.front.close_maildrop(CloseMaildrop(mailbox_id, session, packed(1)))).status == "lost"
    assert uids((await store.open(mailbox_id)).uids) == [1]


async def test_an_opening_that_comes_after_its_close_takes_no_lock(store, mailbox_id):
    """A front end that got no answer gives up and closes; the two calls may arrive in either order."""
    gone, next_one = new_id(), new_id()
    for _ in range(2):
        assert (await store.front.close_maildrop(CloseMaildrop(mailbox_id, gone))).status == "lost"
    assert (await store.front.open_maildrop(OpenMaildrop(mailbox_id, gone))).status == "in_use"
    assert (await store.front.open_maildrop(OpenMaildrop(mailbox_id, next_one))).status == "ok"


async def test_what_imap_removed_meanwhile_is_not_counted(store, mailbox_id):
    await store.deliver(mailbox_id, message(), message())
    session = new_id()
    await store.front.open_maildrop(OpenMaildrop(mailbox_id, session))
    await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    closed = await store.front.close_maildrop(CloseMaildrop(mailbox_id, session, packed(1, 2)))
    assert (closed.status, closed.removed) == ("ok", 1)
    assert await store.usage(mailbox_id) == 0


async def test_new_mail_comes_in_while_the_drop_is_locked(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    session = new_id()
    await store.front.open_maildrop(OpenMaildrop(mailbox_id, session))
    await store.deliver(mailbox_id, message("new"))
    assert (await store.front.close_maildrop(CloseMaildrop(mailbox_id, session, packed(1)))).removed == 1
    assert uids((await store.open(mailbox_id)).uids) == [2]
