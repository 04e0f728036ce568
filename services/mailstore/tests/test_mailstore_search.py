"""/v1/messages/search: every key, trees of them against a plain reading of the messages, programs that are none."""

import asyncio
import random
from array import array
from datetime import UTC, date, datetime, timedelta

import pytest

from bodystore import SameDatabase
from mailkit.errors import BadRequest, OverLimit
from mailkit.ids import new_id
from mailkit.postgres.pool import PLANNER, create_pool
from mailkit.testing.speed import patient
from mailstore.handlers import turns
from mailstore.mime import render
from mailstore.mime import search as keys
from mailstore.parts import assemble
from mailstore.reading import folders
from mailstore_api.wire import DaysQuestion, MailboxQuestion, SearchQuestion

from .conftest import PREFIX, message, uids

HEADERS = [
    ("Jürgen <j@far.test>", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Mon, 2 Mar 2026 23:30:00 -0500", "plain words"),
    ("anna@here.test", "Invoice 17", "Tue, 3 Mar 2026 00:10:00 +0100", "please pay\r\nSubject: not a field"),
    ("Bob <bob@far.test>", "Re: invoice", "Wed, 4 Mar 2026 10:00:00 +0000", "paid already"),
    ("bob@far.test", "empty", "no date at all", ""),
]
MESSAGES = [
    f"From: {sender}\r\nTo: list@here.test\r\nCc: carol@far.test\r\nX-Kind: kind {n}\r\nSubject: {subject}\r\n"
    f"Date: {day}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()
    for n, (sender, subject, day, text) in enumerate(HEADERS, 1)
]
ARRIVED = [datetime(2026, 3, day, 12, tzinfo=UTC).timestamp() for day in (3, 3, 4, 5)]

SIZES = [len(PREFIX + each) for each in MESSAGES]

#: key -> what it finds
LEAVES = {
    ("ALL",): {1, 2, 3, 4},
    ("FROM", "BOB"): {3, 4},
    ("FROM", "jürgen"): {1},
    ("TO", "list@"): {1, 2, 3, 4},
    ("CC", "carol"): {1, 2, 3, 4},
    ("BCC", "x"): set(),
    ("SUBJECT", "GRÜSSE"): {1},
    ("SUBJECT", "invoice"): {2, 3},
    ("BEFORE", "2026-03-04"): {1, 2},
    ("ON", "2026-03-04"): {3},
    ("SINCE", "2026-03-04"): {3, 4},
    ("SENTBEFORE", "2026-03-03"): {1},
    ("SENTON", "2026-03-03"): {2},
    ("SENTSINCE", "2026-03-03"): {2, 3},
    ("FLAG", "\\Seen"): {1, 3},
    ("FLAG", "work"): {3},
    ("FLAG", "unknown"): set(),
    ("UID", ((2, 3), (9, 9))): {2, 3},
    ("UID", ()): set(),
    ("RECENT", 3): {3, 4},
    ("LARGER", SIZES[1]): {uid for uid, size in enumerate(SIZES, 1) if size > SIZES[1]},
    ("SMALLER", SIZES[1]): {uid for uid, size in enumerate(SIZES, 1) if size < SIZES[1]},
    ("BODY", "PAY"): {2},
    ("BODY", "not a field"): {2},
    ("TEXT", "invoice"): {2, 3},
    ("TEXT", "delivered-to"): {1, 2, 3, 4},
    ("HEADER", "x-kind", "kind 3"): {3},
    ("HEADER", "subject", "not a"): set(),
    ("HEADER", "return-path", ""): {1, 2, 3, 4},
    ("HEADER", "x-none", ""): set(),
}


@pytest.fixture
async def ready(store, mailbox_id):
    ids = await store.put(*MESSAGES)
    store.pass_time(4 * 86400 + 1)  # they have arrived
    items = [store.filing(mailbox_id, i, received_at=at) for i, at in zip(ids, ARRIVED, strict=True)]
    assert await store.file(*items) == ["filed"] * 4
    await store.store(mailbox_id, [(1, 1), (3, 3)], "add", "\\Seen")
    await store.store(mailbox_id, [(3, 3)], "add", "Work")

    async def search(program):
        return set(uids((await store.front.search(SearchQuestion(mailbox_id, 1, program))).uids))

    return search


async def test_every_key_alone(ready):
    for leaf, found in LEAVES.items():
        assert await ready(list(leaf)) == found, leaf
        assert await ready(["NOT", list(leaf)]) == {1, 2, 3, 4} - found, leaf


async def test_trees_of_keys(ready):
    chance = random.Random(11)
    leaves = list(LEAVES)

    def tree(depth):
        kind = chance.choice(["LEAF", "AND", "OR", "NOT"]) if depth else "LEAF"
        if kind == "LEAF":
            leaf = chance.choice(leaves)
            return list(leaf), LEAVES[leaf]
        if kind == "NOT":
            node, found = tree(depth - 1)
            return ["NOT", node], {1, 2, 3, 4} - found
        parts = [tree(depth - 1) for _ in range(chance.randint(1, 3))]
        sets = [found for _, found in parts]
        found = set.intersection(*sets) if kind == "AND" else set.union(*sets)
        return [kind, *(node for node, _ in parts)], found

    for _ in range(150):
        program, found = tree(4)
        assert await ready(program) == found, program


async def test_scans_go_on_over_batches(store, mailbox_id, ready, monkeypatch):
    monkeypatch.setattr("mailstore.reading.search.BATCH", 1)
    monkeypatch.setattr("mailstore.reading.octets.GROUP_BYTES", 10)
    assert await ready(["OR", ["BODY", "paid"], ["AND", ["FROM", "anna"], ["BODY", "pay"]]]) == {2, 3}


NO_PROGRAMS = [
    [],
    ["NONE"],
    ["AND"],
    ["NOT"],
    ["NOT", ["ALL"], ["ALL"]],
    ["FROM"],
    ["FROM", 5],
    ["SINCE", "yesterday"],
    ["UID"],
    ["UID", [[1]]],
    ["UID", [["a", "b"]]],
    ["LARGER", "5"],
    ["LARGER", -1],
    ["LARGER", 2**63],
    ["HEADER", "x"],
    [["ALL"]],
    ["OR", "ALL"],
    ["AND", *([["ALL"]] * 5000)],
    [5],
    [None, "x"],
    ["SENTALL", "2026-01-01"],
]


async def test_programs_that_are_none(ready):
    for program in NO_PROGRAMS:
        with pytest.raises(BadRequest):
            await ready(program)


async def test_depth_has_an_end(ready):
    program = ["ALL"]
    for _ in range(61):
        program = ["NOT", program]
    with pytest.raises(BadRequest):
        await ready(program)


async def test_a_nul_in_a_key_is_no_trouble(ready):
    assert await ready(["SUBJECT", "inv\0oice"]) == {2, 3}
    assert await ready(["BODY", "\0"]) == set()


async def test_a_folder_that_is_gone(store, mailbox_id):
    assert (await store.front.search(SearchQuestion(mailbox_id, 9, ["ALL"]))).status == "gone"


async def test_a_message_is_decoded_once_for_all_keys(ready, monkeypatch):
    decoded, texts = [], keys.texts
    monkeypatch.setattr(keys, "texts", lambda *given, **more: decoded.append(1) or texts(*given, **more))
    for kind, n in (("OR", 2), ("OR", 25), ("AND", 25)):
        decoded.clear()
        await ready([kind, *(["BODY" if at % 2 else "TEXT", f"nothing {at}"] for at in range(n))])
        assert len(decoded) == 4


async def test_texts_of_one_search_have_a_number(ready):
    assert await ready(["OR", *(["BODY", f"nothing {n}"] for n in range(49)), ["TEXT", "paid"]]) == {3}
    with pytest.raises(OverLimit):
        await ready(["OR", *(["BODY", f"nothing {n}"] for n in range(51))])


@pytest.mark.parametrize("program", [["BODY", "paid"], ["SUBJECT", "invoice"]], ids=lambda p: p[0])
async def test_a_search_has_an_end(ready, monkeypatch, program):
    assert await ready(program)
    monkeypatch.setattr("mailstore.reading.search.MOST_SECONDS", 0)
    with pytest.raises(OverLimit):
        await ready(program)


async def test_sets_of_uids_are_compared_in_the_logarithm_of_their_ranges(store, mailbox_id, ready):
    """Many UID keys of many ranges: merged by Postgres once, never walked for each message."""
    many = [[n, n] for n in range(2, 19_000, 2)]
    assert await ready(["AND", ["UID", many], ["UID", [[1, 3]]], ["NOT", ["UID", [[1, 1], [3, 9]]]]]) == {2}
    assert await ready(["OR", ["UID", many], ["UID", [[9, 4], [3, 3]]]]) == {2, 3, 4}


async def test_filing_goes_on_while_front_ends_use_every_connection_of_theirs(settings, pool, store, mailbox_id):
    """C8: reading and filing have connections of their own."""
    sessions = await create_pool(store.dsn, service="sessions", size=1, settings=PLANNER)
    parts = assemble(
        settings, pool, store.bodies, store.clock, sessions=sessions, session_bodies=SameDatabase(sessions)
    )
    (body_id,) = await store.put(MESSAGES[0])
    async with sessions.acquire(), asyncio.timeout(patient(20)):
        reading = asyncio.create_task(parts.steps.folders.list(MailboxQuestion(mailbox_id)))
        assert [a.status for a in await parts.filer.file([store.filing(mailbox_id, body_id)])] == ["filed"]
        assert not reading.done()
    assert {f.name: f.messages for f in (await reading).folders}["INBOX"] == 1
    await sessions.close()


async def test_a_mailbox_has_so_many_expensive_commands_at_once(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    line, busy, free = turns.Turns(), new_id(), asyncio.Event()

    async def work():
        async with line.of(busy):
            await free.wait()

    under_way = [asyncio.create_task(work()) for _ in range(turns.AT_ONCE)]
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(work()) for _ in range(turns.IN_LINE)]
    await asyncio.sleep(0)
    with pytest.raises(OverLimit, match="too many"):
        await work()
    async with line.of(new_id()):  # another mailbox
        pass
    assert {type(e) for e in await asyncio.gather(*waiting, return_exceptions=True)} == {OverLimit}
    free.set()
    await asyncio.gather(*under_way)
    assert not line._lines


async def test_the_date_that_is_shown_is_the_one_that_is_searched(store, mailbox_id):
    """INTERNALDATE is rounded down: never in the future, and never a day that SEARCH does not find it on."""
    (body_id,) = await store.put(MESSAGES[0])
    late = datetime(2026, 2, 27, 23, 59, 59, 700_000, tzinfo=UTC).timestamp()
    assert await store.file(store.filing(mailbox_id, body_id, received_at=late)) == ["filed"]
    ((_, shown),) = await store.fetch(mailbox_id, ["INTERNALDATE"])
    assert shown == int(late)
    for program, found in ((["ON", "2026-02-27"], [1]), (["SINCE", "2026-02-28"], []), (["BEFORE", "2026-02-28"], [1])):
        assert uids((await store.front.search(SearchQuestion(mailbox_id, 1, program))).uids) == found


async def test_days_are_those_that_are_searched_and_come_in_parts(store, mailbox_id, monkeypatch):
    monkeypatch.setattr(folders, "MOST_DAYS", 2)
    await store.deliver(mailbox_id, *MESSAGES[:1] * 3)
    times = ["1969-12-31 23:59:59.7+00", "1970-01-01 00:00+00", "2026-03-01 00:30+02"]
    await store.pool.executemany(
        "update mailstore.message set internaldate = $1::text::timestamptz where mailbox_id = $2 and uid = $3",
        [(time, mailbox_id, uid) for uid, time in enumerate(times, 1)],
    )
    found = []
    for after, more in ((0, True), (2, False)):
        answer = await store.front.days(DaysQuestion(mailbox_id, 1, after))
        assert (answer.status, answer.more) == ("ok", more)
        found += zip(uids(answer.uids), array("i", answer.days), strict=True)
    for uid, number in found:
        program = ["ON", (date(1970, 1, 1) + timedelta(days=number)).isoformat()]
        assert uids((await store.front.search(SearchQuestion(mailbox_id, 1, program))).uids) == [uid]
    assert [uid for uid, _ in found] == [1, 2, 3]
    assert (await store.front.days(DaysQuestion(mailbox_id, 99, 0))).status == "gone"


ADDRESSES = {
    "joe@example.test": "Joe (the plumber) <joe (dot) @ (x) example.test>",
    "smith, anna": '"Smith,\r\n  Anna" <a@x.test>',
    "j\u00fcrgen <j@far.test>": "=?utf-8?q?J=C3=BCrgen?= <j@far.test>",
    "bob@far.test": "bob @ far . test (Bob)",
    "team": "team: a@x.test, b@x.test;",
}


@pytest.mark.parametrize("key", ADDRESSES)
async def test_what_the_envelope_shows_is_found(store, mailbox_id, key):
    """RFC 3501 6.4.4: FROM, TO, CC and BCC look at the envelope structure's field."""
    await store.deliver(mailbox_id, f"From: a@b.test\r\nTo: {ADDRESSES[key]}\r\n\r\nx\r\n".encode())
    assert uids((await store.front.search(SearchQuestion(mailbox_id, 1, ["TO", key]))).uids) == [1]
    assert uids((await store.front.search(SearchQuestion(mailbox_id, 1, ["TO", "plumber"]))).uids) == []


def test_addresses_are_read_back_from_any_envelope():
    for field, shown in (
        (b'"A \\"x\\" (y)" <a@b>, "un\\\\quoted" <"c d"@e>', 'A "x" (y) <a@b>\nun\\quoted <c d@e>'),
        (b"=?utf-8?q?=28=29?= <a@b>,\r\n <@x,@y:r@s>, nobody", "() <a@b>\nr@s\nnobody@MISSING_DOMAIN"),
        ("J\u00fc ) ( <j@\u00fc.test>, g: ;".encode(), None),
        (b"", ""),
    ):
        raw = b'Date: ) NIL {3}\r\nSubject: \xc3\xbc ( "\r\nFrom: f@g\r\nTo: ' + field + b"\r\nBcc: h@i\r\n\r\n"
        view = render(raw).compared
        assert (view.from_, view.cc, view.bcc) == ("f@g", "", "h@i")
        assert shown is None or view.to == shown


@pytest.mark.parametrize(
    ("program", "tables"),
    [
        (["FROM", "a"], {"rendered"}),
        (["AND", ["SUBJECT", "a"], ["SENTSINCE", "2026-03-01"], ["UID", [[1, 9]]]], {"rendered"}),
        (["OR", ["SINCE", "2026-03-01"], ["FLAG", "\\Seen"]], {"message"}),
        (["NOT", ["LARGER", 9]], {"message"}),
        (["AND", ["ALL"], ["RECENT", 3]], set()),
        (["AND", ["FROM", "a"], ["SINCE", "2026-03-01"]], {"message", "rendered"}),
    ],
)
async def test_a_search_reads_only_the_tables_that_its_keys_need(store, mailbox_id, monkeypatch, program, tables):
    """Each message's row of the other table made a search of a large folder several times slower."""
    statements = []

    async def fetch(_self, statement, *_arguments):
        statements.append(statement)
        return [{"uids": [3, 4]}]

    monkeypatch.setattr("mailstore.storage.search.SearchRows._fetch", fetch)
    await store.open(mailbox_id)
    found = await store.front.search(SearchQuestion(mailbox_id, 1, program))
    assert uids(found.uids) == [3, 4]
    (statement,) = statements
    assert {table for table in ("message", "rendered") if f"mailstore.{table} " in statement} == (tables or {"message"})


async def test_a_day_is_from_midnight_to_midnight(store, mailbox_id):
    """In UTC, whatever the offset of the date that APPEND gave."""
    times = [datetime(2026, 3, 4, tzinfo=UTC).timestamp() + at for at in (-1, 0, 86399, 86400)]
    for at in times:
        await store.append(mailbox_id, message(), internal_date=at)
    for key, found in (("BEFORE", [1]), ("ON", [2, 3]), ("SINCE", [2, 3, 4])):
        answer = await store.front.search(SearchQuestion(mailbox_id, 1, [key, "2026-03-04"]))
        assert uids(answer.uids) == found, key
    for key, found in (("BEFORE", [1, 2, 3, 4]), ("ON", []), ("SINCE", [])):
        answer = await store.front.search(SearchQuestion(mailbox_id, 1, [key, "9999-12-31"]))
        assert uids(answer.uids) == found, key


async def test_the_subject_is_searched_as_the_envelope_shows_it(store, mailbox_id):
    """Folded and with runs of white space as one space."""
    await store.append(mailbox_id, b"Subject: a  b\tc\r\n d\r\n\r\nx\r\n")
    assert uids((await store.front.search(SearchQuestion(mailbox_id, 1, ["SUBJECT", "a b c d"]))).uids) == [1]
