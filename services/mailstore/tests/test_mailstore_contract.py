"""Each case once on the real service and once on the fakes that are shipped with the client."""

import json
from array import array
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from mailkit.errors import NotFound
from mailkit.ids import new_id
from mailkit.testing import hostile
from mailstore.service import openapi
from mailstore_api.fake import FakeFilings, FakeMaildrop
from mailstore_api.wire import (
    CloseMaildrop,
    Filing,
    FilingList,
    MaildropLease,
    OpenMaildrop,
    ReadAhead,
    ReadMaildrop,
    ReferenceList,
)

from .conftest import message, uids

BODIES = [message("one", ".dot\r\nsecond"), message("two")[:-2], message("three")]


@dataclass
class Drop:
    """A maildrop with three messages, the second without a last line end, and how one of them goes another way."""

    verbs: Any
    mailbox_id: UUID
    expunge: Callable[[int], Awaitable[object]]

    async def open(self, session: UUID) -> Any:
        return await self.verbs.open_maildrop(OpenMaildrop(self.mailbox_id, session))

    async def close(self, session: UUID, removed: Iterable[int] = ()) -> tuple[str, int]:
        packed = array("I", removed).tobytes()
        answer = await self.verbs.close_maildrop(CloseMaildrop(self.mailbox_id, session, packed))
        return answer.status, answer.removed


@pytest.fixture(params=["real", "fake"])
async def drop(request, store, mailbox_id):
    if request.param == "fake":
        fake = FakeMaildrop(dict(enumerate(BODIES, 1)))

        async def pop(uid: int) -> None:
            del fake.messages[uid]

        return Drop(fake, mailbox_id, pop)
    for body in BODIES:
        await store.append(mailbox_id, body, "INBOX")

    async def expunge(uid: int) -> None:
        await store.store(mailbox_id, [(uid, uid)], "add", "\\Deleted")
        await store.expunge(mailbox_id)

    return Drop(store.front, mailbox_id, expunge)


async def test_opening_gives_a_snapshot_and_one_session_the_lock(drop):
    mine, other = new_id(), new_id()
    opened = await drop.open(mine)
    assert (opened.status, uids(opened.uids), opened.folder_id) == ("ok", [1, 2, 3], 1)
    sizes = [len(body) for body in BODIES]
    sizes[1] += 2  # as it is sent: with a line end
    assert list(array("I", opened.sizes)) == sizes and opened.uidvalidity > 0
    assert (await drop.open(other)).status == "in_use"
    assert await drop.open(mine) == opened
    leases = [MaildropLease(drop.mailbox_id, session) for session in (mine, other)]
    assert await drop.verbs.renew_maildrops(leases) == [True, False]
    assert await drop.close(mine) == ("ok", 0)
    assert (await drop.open(other)).status == "ok"


async def test_closing_removes_and_says_the_same_again(drop):
    first, second = new_id(), new_id()
    await drop.open(first)
    await drop.expunge(2)
    assert await drop.close(first, [1, 2]) == ("ok", 1)
    assert await drop.close(first, [1, 2]) == ("ok", 1)
    assert uids((await drop.open(second)).uids) == [3]
    assert await drop.close(first, [1, 2]) == ("ok", 1), "and leaves the next session's lock alone"
    assert await drop.verbs.renew_maildrops([MaildropLease(drop.mailbox_id, second)]) == [True]


async def test_a_close_that_comes_before_its_opening(drop):
    session = new_id()
    assert await drop.close(session, [1]) == ("lost", 0)
    assert (await drop.open(session)).status == "in_use"
    assert uids((await drop.open(new_id())).uids) == [1, 2, 3]


async def test_reading(drop):
    await drop.open(new_id())

    async def read(uid: int, lines: int = -1) -> bytes:
        question = ReadMaildrop(drop.mailbox_id, 1, uid, lines)
        return b"".join([piece async for piece in drop.verbs.read_maildrop(question)])

    assert [await read(uid) for uid in (1, 2, 3)] == BODIES
    head = BODIES[0].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert [await read(1, lines) for lines in (0, 1, 99)] == [head, head + b".dot\r\n", BODIES[0]]
    await drop.expunge(2)
    with pytest.raises(NotFound):
        await read(2)
    packed = array("I", [1, 2, 3]).tobytes()
    assert await drop.verbs.read_ahead(ReadAhead(drop.mailbox_id, 1, packed)) == [BODIES[0], None, BODIES[2]]


@pytest.fixture(params=["real", "fake"])
async def filings(request, store):
    return store.queue if request.param == "real" else FakeFilings()


async def test_filings_are_known_by_mailbox_and_queue_id(filings, store):
    body_id, other = await store.put(message("one"), message("two"))
    one = store.filing(new_id(), body_id)
    copy = store.filing(new_id(), body_id, queue_id=one.queue_id)
    new = store.filing(one.mailbox_id, other)

    async def file(*items: Filing) -> list[str]:
        return [answer.status for answer in await filings.file(FilingList(list(items)))]

    assert await file(one, copy) == ["filed", "filed"]
    assert await file(one, new, one) == ["already", "filed", "already"]
    assert await filings.references(ReferenceList([new_id()])) == [False]
    if isinstance(filings, FakeFilings):
        filings.referenced = {body_id, other}  # which bodies are referred to is the test's to say
    assert await filings.references(ReferenceList([body_id, new_id(), other])) == [True, False, True]


async def test_a_nul_or_a_lone_surrogate_in_the_operators_api_is_a_problem_document(store):
    assert await hostile.check(store.url, "admin-token", json.loads(openapi())) >= 4
