"""Sessions share what is known of a folder, and each still sees exactly what it was sent (docs/decisions/0054)."""

import asyncio
import random
from typing import Any

import msgspec
import pytest

from mailstore_api.wire import Changes, ChangesQuestion, FolderSnapshot, OpenFolder
from pop_imap_frontend.imap.folder.cache import SharedFolders

from .conftest import Client, Imap

BODY = b"Subject: a\r\n\r\nb\r\n"


class Spy:
    """Notes the questions for a folder and for its changes, and the answers. `old`: mailstore of the previous release."""

    def __init__(self, store: Any, *, old: bool = False) -> None:
        self.opened: list[tuple[OpenFolder, FolderSnapshot]] = []
        self.changed: list[tuple[ChangesQuestion, Changes]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._old = old
        self._open, self._changes = store.open_folder, store.changes
        store.open_folder, store.changes = self.open_folder, self.changes

    async def open_folder(self, question: OpenFolder) -> FolderSnapshot:
        if self._old:
            question = msgspec.structs.replace(question, known_folder_id=0, known_modseq=0)
        answer: FolderSnapshot = await self._open(question)
        self.opened.append((question, answer))
        return answer

    async def changes(self, question: ChangesQuestion) -> Changes:
        self.changed.append((question, Changes("ok")))
        await self.gate.wait()
        answer: Changes = await self._changes(question)
        self.changed[-1] = question, answer
        return answer

    def whole(self) -> list[bool]:
        """Whether each answer to SELECT was a whole folder."""
        return [not answer.since for _, answer in self.opened]


@pytest.fixture
def spy(imap: Imap) -> Spy:
    return Spy(imap.store.front)


async def append(client: Client, name: str = "INBOX", flags: str = "") -> None:
    await client.ok(b"APPEND %b (%b) {%d+}\r\n%b" % (name.encode(), flags.encode(), len(BODY), BODY))


async def content(client: Client) -> list[bytes]:
    return await client.ok("FETCH 1:* (UID FLAGS)")


async def test_a_later_session_asks_for_changes_alone(imap: Imap, spy: Spy) -> None:
    first = await imap.log_in()
    for _ in range(3):
        await append(first)
    await first.ok("SELECT INBOX")
    await append(first, flags="$New")
    await first.ok("STORE 1 FLAGS (\\Seen)")
    await first.ok("STORE 2 FLAGS (\\Deleted)")
    await first.ok("EXPUNGE")
    second = await imap.log_in()
    answer = await second.ok("EXAMINE INBOX")
    assert b"* 3 EXISTS" in answer and b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $New)" in answer
    assert b"* OK [UNSEEN 2] first unseen" in answer
    assert spy.whole() == [True, False]
    assert len(spy.opened[-1][1].vanished) == 4
    assert await content(second) == [
        b"* 1 FETCH (UID 1 FLAGS (\\Seen))",
        b"* 2 FETCH (UID 3 FLAGS ())",
        b"* 3 FETCH (UID 4 FLAGS ($New))",
    ]


async def test_sessions_of_a_folder_have_one_sequence(imap: Imap) -> None:
    clients = [await imap.select() for _ in range(3)]
    await append(clients[0], flags="\\Seen $One")
    for client in clients:
        await client.ok("NOOP")
    views = [session.view for session in imap.sessions]
    assert len({id(view.messages) for view in views}) == len({id(view.names) for view in views}) == 1
    await clients[0].ok("STORE 1 +FLAGS (\\Flagged)")  # the others have not been sent it
    assert await content(clients[1]) == [b"* 1 FETCH (UID 1 FLAGS (\\Seen $One))"]
    assert await content(clients[0]) == [b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen $One \\Recent))"]
    assert b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen $One))" in await clients[1].ok("NOOP")
    for client in clients:
        await client.ok("NOOP")
    assert len({id(view.messages) for view in views}) == 1


async def test_sessions_that_open_a_folder_at_once_read_it_once(imap: Imap, spy: Spy) -> None:
    clients = [await imap.log_in() for _ in range(6)]
    await append(clients[0])
    answers = await asyncio.gather(*(client.ok("SELECT INBOX") for client in clients))
    assert sorted(spy.whole()) == [False] * 5 + [True]
    assert all(b"* 1 EXISTS" in answer for answer in answers)
    assert sum(b"* 1 RECENT" in answer for answer in answers) == 1


async def test_another_folder_with_the_same_name(imap: Imap, spy: Spy) -> None:
    client, other = await imap.log_in(), await imap.log_in()
    await client.ok("CREATE Work")
    await append(client, "Work")
    before = await client.ok("SELECT Work")
    await other.ok("RENAME Work Old")
    await other.ok("CREATE Work")
    after = await client.ok("SELECT Work")
    assert b"* 1 EXISTS" in before and b"* 0 EXISTS" in after
    validity = [[line for line in answer if b"UIDVALIDITY" in line] for answer in (before, after)]
    assert validity[0] != validity[1]
    assert b"* 1 EXISTS" in await client.ok("SELECT Old")
    await other.ok("DELETE Work")
    assert (await client.last("SELECT Work")).startswith("NO [NONEXISTENT]")
    await other.ok("RENAME Old Work")
    assert b"* 1 EXISTS" in await client.ok("SELECT Work")
    assert spy.whole() == [True] * 4 + [True]  # the refusal, too, forgets what was known
    await client.ok("UNSELECT")
    assert b"* 1 EXISTS" in await other.ok("SELECT Work")
    assert spy.whole()[-1] is False


async def test_what_is_known_is_given_up_for_forgotten_tombstones(imap: Imap, spy: Spy) -> None:
    client = await imap.log_in()
    for _ in range(3):
        await append(client)
    await client.ok("SELECT INBOX")
    await client.ok("UNSELECT")
    await imap.store.store(imap.mailbox_id, [(2, 2)], "add", "\\Deleted")
    await imap.store.expunge(imap.mailbox_id)
    await imap.store.pool.execute("delete from mailstore.expunged")
    await imap.store.pool.execute("update mailstore.folder set forgotten_modseq = highest_modseq")
    assert b"* 2 EXISTS" in await client.ok("SELECT INBOX")
    assert spy.whole() == [True, True]
    await client.ok("SELECT INBOX")
    assert spy.whole() == [True, True, False]


async def test_mailstore_of_the_previous_release_answers_with_all(imap: Imap) -> None:
    spy = Spy(imap.store.front, old=True)
    for count in (1, 2):
        client = await imap.log_in()
        await append(client)
        assert b"* %d EXISTS" % count in await client.ok("SELECT INBOX")
    assert spy.whole() == [True, True]


async def test_folders_beyond_the_limit_are_read_again(imap: Imap, spy: Spy) -> None:
    client = await imap.log_in()
    await append(client)
    for most, expected in ((0, [True, True]), (10_000, [True, False]), (4_000, [True, True])):
        spy.opened.clear()
        imap.shared["folders"] = SharedFolders(imap.store.front, most)
        client = await imap.log_in()
        for name in ("INBOX", "Sent", "INBOX"):
            assert (b"* 1 EXISTS" in await client.ok(f"SELECT {name}")) == (name == "INBOX")
        assert [not answer.since for question, answer in spy.opened if question.name == "INBOX"] == expected


async def test_what_does_not_agree_with_mailstore_is_read_again(imap: Imap, spy: Spy) -> None:
    client = await imap.log_in()
    for _ in range(2):
        await append(client)
    await client.ok("SELECT INBOX")
    await imap.store.pool.execute("delete from mailstore.message where uid = 1")  # behind the back of MODSEQ
    await imap.store.pool.execute("update mailstore.folder set messages = 1, unseen = 1 where name = 'INBOX'")
    assert b"* 1 EXISTS" in await client.ok("SELECT INBOX")
    assert spy.whole() == [True, False, True]
    assert await content(client) == [b"* 1 FETCH (UID 2 FLAGS (\\Recent))"] or await content(client) == [
        b"* 1 FETCH (UID 2 FLAGS ())"
    ]


async def test_sessions_that_ask_at_once_share_the_next_question(imap: Imap, spy: Spy) -> None:
    clients = [await imap.select() for _ in range(5)]
    examining = await imap.log_in()
    await examining.ok("EXAMINE INBOX")
    await imap.store.append(imap.mailbox_id, BODY)
    spy.gate.clear()
    first = asyncio.create_task(clients[0].ok("NOOP"))
    while not spy.changed:
        await asyncio.sleep(0)
    others = [asyncio.create_task(client.ok("NOOP")) for client in [*clients[1:], examining]]
    folder = imap.sessions[0].view.folder
    while folder._questions.waiting < 5:
        await asyncio.sleep(0)
    await imap.store.append(imap.mailbox_id, BODY)  # after the first question, before the others': they see it
    spy.gate.set()
    answers = await asyncio.gather(first, *others)
    assert len(spy.changed) == 2
    assert all(b"* 2 EXISTS" in answer for answer in answers[1:])
    recent = [line for answer in answers for line in answer if line.endswith(b"RECENT") and line != b"* 0 RECENT"]
    assert len(recent) in (1, 2)
    total = sum(session.view.recent_count() for session in imap.sessions if not session.view.read_only)
    assert total == 2  # each message is \Recent in one session


async def test_one_session_far_behind_does_not_end_the_others(imap: Imap, spy: Spy) -> None:
    """What is too old to be said is so for the session that asks from there alone."""
    old, new = await imap.select(), await imap.select()
    await append(new)
    await new.ok("NOOP")
    await imap.store.pool.execute("update mailstore.folder set forgotten_modseq = highest_modseq")
    await imap.store.append(imap.mailbox_id, BODY)
    spy.gate.clear()
    blocked = asyncio.create_task(new.ok("NOOP"))
    while not spy.changed:
        await asyncio.sleep(0)
    third = await imap.log_in()
    await third.ok("EXAMINE INBOX")
    await imap.store.append(imap.mailbox_id, BODY)
    later = asyncio.create_task(third.ok("NOOP")), asyncio.create_task(old.last("NOOP"))
    while imap.sessions[0].view.folder._questions.waiting < 2:
        await asyncio.sleep(0)
    spy.gate.set()
    assert b"* 3 EXISTS" in await blocked or b"* 2 EXISTS" in await blocked
    assert b"* 3 EXISTS" in await later[0]
    assert (await later[1]).startswith("NO the selected mailbox changed too much")


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_of_changes_leaves_every_session_right(imap: Imap, seed: int) -> None:
    """Random commands in four sessions of two folders; each session, brought up to date, has what a fresh reading has."""
    rng = random.Random(seed)
    clients = [await imap.log_in() for _ in range(4)]
    await clients[0].ok("CREATE Work")
    names = ["INBOX", "Work"]
    for client in clients:
        await client.ok(f"SELECT {rng.choice(names)}")
    for _ in range(120):
        client = rng.choice(clients)
        what = rng.choice(["append", "flags", "expunge", "move", "select", "examine", "noop", "rename"])
        some = f"{rng.randint(1, 5)}:{rng.choice('123456789*')}"
        if what == "append":
            await append(client, rng.choice(names), rng.choice(["", "\\Seen", "$Key"]))
        elif what == "flags":
            await client.ask(f"UID STORE {some} {rng.choice('+-')}FLAGS ({rng.choice(['Seen', 'Flagged', 'Deleted'])})")
            await client.ask(f"UID STORE {some} +FLAGS (\\{rng.choice(['Seen', 'Flagged', 'Deleted'])})")
        elif what == "expunge":
            await client.ask("EXPUNGE")
        elif what == "move":
            await client.ask(f"UID MOVE {some} {rng.choice(names)}")
        elif what in ("select", "examine"):
            await client.ok(f"{what.upper()} {rng.choice(names)}")
        elif what == "rename":
            names[1] = await _renamed(client, names[1])
        else:
            await _compare(imap, client)
    for client in clients:
        await _compare(imap, client)


async def _renamed(client: Client, name: str) -> str:
    other = "Work" if name == "Home" else "Home"
    await client.ok(f"RENAME {name} {other}")
    return other


async def _compare(imap: Imap, client: Client) -> None:
    """What the session shows after NOOP is what mailstore has."""
    await client.ok("NOOP")
    (session,) = [session for session in imap.sessions if session.stream.task and _is(session, client)]
    view = session.view
    rows = await imap.store.pool.fetch(
        "select uid, flags from mailstore.message where mailbox_id = $1 and folder_id = $2 order by uid",
        imap.mailbox_id,
        view.folder_id,
    )
    known = [(view.messages.uid(at), view.messages.mask(at)) for at in range(len(view))]
    assert known == [(row["uid"], row["flags"]) for row in rows]
    assert view.messages.unseen == sum(not row["flags"] & 8 for row in rows)


def _is(session: Any, client: Client) -> bool:
    transport = session.stream._transport
    return bool(transport and transport.get_extra_info("peername") == client.writer.get_extra_info("sockname"))
