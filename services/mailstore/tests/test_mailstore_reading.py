"""/v1/messages/fetch: slices and the whole, ranges, columns in their order, sections and pieces of them, large bodies."""

import asyncio
import random
import tracemalloc
from contextlib import AsyncExitStack, aclosing

import pytest

from mailkit.errors import Unavailable
from mailkit.ids import new_id
from mailkit.testing.speed import patient
from mailstore.handlers.turns import AT_ONCE
from mailstore.reading import fetch
from mailstore.reading.octets import Octets
from mailstore_api.wire import LAZY_PREVIEW, PIECE, PREVIEW, FetchQuestion, ReadMaildrop, SearchQuestion, Section

from .conftest import ALL, PREFIX, message, uids

PARTS = (
    b"From: a@far.test\r\nSubject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"before\r\n--b\r\nContent-Type: text/plain\r\n\r\nfirst part\r\n--b\r\nContent-Type: application/x; name=n\r\n\r\n"
    b"%b\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--b--\r\n"
)


async def frames(store, mailbox_id, columns=(), sections=(), ranges=ALL):
    return [
        rows async for rows in store.front.fetch(FetchQuestion(mailbox_id, 1, ranges, list(columns), list(sections)))
    ]


async def test_slices_are_the_whole(store, mailbox_id, monkeypatch):
    await store.deliver(mailbox_id, *[message(f"number {n}") for n in range(1, 48)])
    await store.store(mailbox_id, [(10, 20)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    whole = await store.fetch(mailbox_id, ["ENVELOPE", "RFC822.SIZE"], [Section(), Section(text="HEADER")])
    assert [row[0] for row in whole] == [*range(1, 10), *range(21, 48)]
    monkeypatch.setattr("mailstore.reading.fetch.SLICE", 7)
    monkeypatch.setattr("mailstore.reading.fetch.FRAME_BYTES", 500)
    sliced = await frames(store, mailbox_id, ["ENVELOPE", "RFC822.SIZE"], [Section(), Section(text="HEADER")])
    assert [row for rows in sliced for row in rows] == whole
    assert len(sliced) > 10 and all(0 < len(rows) <= 7 for rows in sliced)
    wide = await frames(store, mailbox_id, ["BODYSTRUCTURE", "ENVELOPE"])
    assert [row[2] for rows in wide for row in rows] == [row[1] for row in whole]
    assert all(sum(len(row[1]) + len(row[2]) for row in rows) < 500 or len(rows) == 1 for rows in wide)


async def test_ranges_of_all_kinds_give_what_is_there(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.reading.fetch.SLICE", 5)
    await store.deliver(mailbox_id, *[message(str(n)) for n in range(1, 41)])
    chance = random.Random(7)
    for _ in range(30):
        points = sorted(chance.sample(range(1, 60), 2 * chance.randint(1, 9)))
        ranges = [(low, high - 1) for low, high in zip(points[::2], points[1::2], strict=True)]
        there = [uid for low, high in ranges for uid in range(low, min(high, 40) + 1)]
        for columns in (["RFC822.SIZE"], ["ENVELOPE"]):
            assert [row[0] for row in await store.fetch(mailbox_id, columns, ranges=ranges)] == there
    assert await store.fetch(mailbox_id, ["RFC822.SIZE"], ranges=[(41, 50)]) == []
    assert await store.fetch(new_id(), ["ENVELOPE"]) == []


async def test_columns_come_in_the_order_they_are_asked_for(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    one = await store.fetch(mailbox_id, ["RFC822.SIZE", "BODY", "INTERNALDATE", "ENVELOPE", "BODYSTRUCTURE"])
    other = await store.fetch(mailbox_id, ["BODYSTRUCTURE", "ENVELOPE", "INTERNALDATE", "BODY", "RFC822.SIZE"])
    assert one[0][1:] == other[0][:0:-1]
    assert one[0][1] == len(PREFIX + message()) and one[0][4].startswith(b'("Sun, 1 Mar 2026 10:00:00 +0000" "hello"')


@pytest.mark.parametrize(
    "filler", [b"x" * 10, random.Random(3).randbytes(700_000).hex().encode()], ids=["small", "large"]
)
async def test_sections_and_pieces(store, mailbox_id, filler):
    raw = PARTS % filler
    await store.deliver(mailbox_id, raw)
    whole = PREFIX + raw
    end = whole.index(b"\r\n\r\n") + 4
    fields = b"Subject: parts\r\n\r\n"
    expected = {
        Section: whole,
        "HEADER": whole[:end],
        "TEXT": whole[end:],
        "1": b"first part",
        "1.MIME": b"Content-Type: text/plain\r\n\r\n",
        "2": filler,
        "3.HEADER": b"Subject: inner\r\n\r\n",
        "3.TEXT": b"inner text",
        "4": None,
        "1.HEADER": None,
    }
    wanted = []
    for spec in expected:
        part, _, text = (
            ("", "", "") if spec is Section else spec.partition(".") if spec[0].isdigit() else ("", "", spec)
        )
        wanted.append(Section(part, text))
    (row,) = await store.fetch(mailbox_id, sections=wanted)
    assert row[1:] == list(expected.values())
    (row,) = await store.fetch(
        mailbox_id,
        sections=[
            Section(text="HEADER.FIELDS", fields=["SUBJECT"]),
            Section(text="HEADER.FIELDS", fields=["return-path"], offset=2, count=6),
            Section(
                text="HEADER.FIELDS.NOT", fields=["From", "Return-Path", "Delivered-To", "MIME-Version", "Content-Type"]
            ),
        ],
    )
    assert row[1:] == [fields, b"turn-P", fields]
    chance = random.Random(5)
    pieces = [(chance.randrange(len(whole) + 50), chance.choice([0, 1, 50, 300_000, 10**9])) for _ in range(25)]
    pieces += [(0, len(whole)), (len(PREFIX) - 3, 10), (len(whole), 5)]
    got = await store.fetch(mailbox_id, sections=[Section(offset=a, count=n) for a, n in pieces])
    assert got[0][1:] == [whole[a : a + n] for a, n in pieces]
    got = await store.fetch(mailbox_id, sections=[Section("2", offset=a, count=n) for a, n in pieces])
    assert got[0][1:] == [filler[a : a + n] for a, n in pieces]
    got = await store.fetch(mailbox_id, sections=[Section(text="TEXT", offset=7)])
    assert got[0][1] == whole[end + 7 :]


async def test_a_header_longer_than_a_chunk(store, mailbox_id):
    long = b"Subject: long\r\n" + b"".join(b"X-Line-%d: %b\r\n" % (n, b"y" * 60) for n in range(5000)) + b"\r\nbody\r\n"
    await store.deliver(mailbox_id, long, message("short"))
    rows = await store.fetch(mailbox_id, sections=[Section(text="HEADER")])
    assert rows[0][1] == PREFIX + long[: -len(b"body\r\n")] and rows[1][1].endswith(b"\r\n\r\n")
    rows = await store.fetch(mailbox_id, sections=[Section(text="HEADER.FIELDS", fields=["x-line-4999"])])
    assert rows[0][1] == b"X-Line-4999: " + b"y" * 60 + b"\r\n\r\n"


async def test_messages_without_header_or_text(store, mailbox_id):
    bodies = [b"\r\nonly text\r\n", b"Subject: only header\r\n", b"Subject: x\r\n\r\n", b"no header at all"]
    for body in bodies:
        assert (await store.append(mailbox_id, body)).status == "ok"
    assert list((await store.texts(mailbox_id)).values()) == bodies
    rows = await store.fetch(mailbox_id, sections=[Section(text="HEADER"), Section(text="TEXT")])
    assert [row[1] + row[2] for row in rows] == bodies


async def test_many_mailboxes_do_not_see_each_other(store):
    first, second = new_id(), new_id()
    await store.deliver(first, message("of the first"))
    await store.deliver(second, message("of the second"))
    assert [b"first" in text for text in (await store.texts(first)).values()] == [True]
    assert [b"second" in text for text in (await store.texts(second)).values()] == [True]


async def test_a_range_without_big_rows_is_read_in_cuts_of_their_weight(store, mailbox_id, monkeypatch):
    seen = []
    cut = fetch._cut
    monkeypatch.setattr(fetch, "_cut", lambda rows: seen.append(len(rows)) or cut(rows))
    monkeypatch.setattr(fetch, "FRAME_BYTES", 4096)
    monkeypatch.setattr(fetch, "SLICE", 20)
    await store.deliver(mailbox_id, *[message("x" * 900)] * 12, *[message()] * 50)
    rows = await store.fetch(mailbox_id, ["ENVELOPE"], ranges=[(1, 100)])
    assert [row[0] for row in rows] == list(range(1, 63))
    assert sum(seen) == 62 and max(seen) <= 20 and seen[0] < 5
    assert store.parts.steps.fetcher._octets.taken == 0


async def test_big_structures_are_read_by_their_weight(store, mailbox_id, monkeypatch):
    seen = []
    cut = fetch._cut
    monkeypatch.setattr(fetch, "_cut", lambda rows: seen.append(len(rows)) or cut(rows))
    monkeypatch.setattr(fetch, "FRAME_BYTES", 65536)
    lines = b"".join(b"--b\r\nContent-Type: text/plain; name=%d\r\n\r\nx\r\n" % n for n in range(900))
    big = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + lines + b"--b--\r\n"
    await store.deliver(mailbox_id, *[message()] * 30, big, *[message()] * 20)
    rows = await store.fetch(mailbox_id, ["BODYSTRUCTURE"])
    assert [row[0] for row in rows] == list(range(1, 52)) and len(rows[30][1]) > 65536
    assert seen == [30, 1, 20]
    seen.clear()
    assert len(await store.fetch(mailbox_id, ["BODYSTRUCTURE"], ranges=[(1, 20), (22, 30)])) == 29
    assert seen == [29]


async def test_large_sections_come_in_pieces_behind_their_row(store, mailbox_id):
    """FetchQuestion.pieces: no frame holds more than PIECE octets of a value, and the pieces are the value."""
    sizes = [10, 60_000, 70_000, 900_000, 100]
    await store.deliver(mailbox_id, *[message(f"m{n}", size=size) for n, size in enumerate(sizes)])
    sections = [
        Section(),
        Section(text="HEADER"),
        Section(text="TEXT", offset=5),
        Section(text="TEXT", offset=9, count=100_000),
    ]
    whole = await store.fetch(mailbox_id, ["RFC822.SIZE"], sections)
    rows, lengths, open_row = [], [], []
    question = FetchQuestion(mailbox_id, 1, ALL, ["RFC822.SIZE"], sections, pieces=True)
    async for frame in store.front.fetch_pieces(question):
        if isinstance(frame, bytes):
            lengths.append(len(frame))
            at = next(
                n for n, value in enumerate(open_row) if n > 1 and isinstance(value, tuple) and value[0] > len(value[1])
            )
            open_row[at] = open_row[at][0], open_row[at][1] + frame
        else:
            assert all(type(value) is not int for row in frame[:-1] for value in row[2:])
            rows += [row[:2] + [(v, b"") if type(v) is int else v for v in row[2:]] for row in frame]
            open_row = rows[-1]
    joined = [[v[1] if isinstance(v, tuple) and v[0] == len(v[1]) else v for v in row] for row in rows]
    assert joined == whole and max(lengths) == PIECE and len(lengths) > 10


async def test_a_large_section_is_never_whole_in_memory(store, mailbox_id):
    (body_id,) = await store.put(message(size=30 * 1024 * 1024))
    assert await store.file(store.filing(mailbox_id, body_id, quota_limit=2**40)) == ["filed"]

    async def read():
        question = FetchQuestion(mailbox_id, 1, ALL, [], [Section()], pieces=True)
        total = 0
        async for frame in store.parts.steps.fetcher.fetch(question):
            total += len(frame)
        return total

    await read()
    tracemalloc.start()
    try:
        assert await read() > 30 * 1024 * 1024
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [1, 100])
async def test_what_a_replica_reads_at_once_is_bounded(store, count):
    """Readers that stop reading hold what is counted for them, and no more is in memory; the next one has to wait."""
    mailboxes = [new_id() for _ in range(20)]
    for mailbox_id in mailboxes:
        await store.deliver(mailbox_id, *[message(size=60_000)] * 20)
    limit = 7 * 1024 * 1024
    octets = store.parts.steps.fetcher._octets = Octets(limit, patience=0.2)
    sections = [Section(offset=n) for n in range(count)]
    refused = False
    async with AsyncExitStack() as streams:
        tracemalloc.start()
        streams.callback(tracemalloc.stop)
        for opened in range(20):
            question = FetchQuestion(mailboxes[opened], 1, ALL, [], sections, pieces=True)
            stream = await streams.enter_async_context(aclosing(store.parts.steps.fetcher.fetch(question)))
            try:
                assert len(await anext(stream)) > 60_000 * count
            except Unavailable:
                refused = opened > 0
                break
        assert refused and octets.taken <= limit
        assert tracemalloc.get_traced_memory()[1] < 3 * limit  # values, their frame, what was read
    assert octets.taken == 0


async def test_a_reader_who_leaves_gives_the_turn_back(store, mailbox_id):
    await store.deliver(mailbox_id, *[message(size=900_000)] * 20)
    lines = store.parts.steps.turns._lines
    async with asyncio.timeout(patient(30)):
        for _ in range(2 * AT_ONCE):
            rows = store.front.fetch_pieces(FetchQuestion(mailbox_id, 1, ALL, [], [Section()], pieces=True))
            await anext(rows)
            assert mailbox_id in lines
            await rows.aclose()
        while lines:
            await asyncio.sleep(0.01)


async def test_a_pop3_reader_who_leaves_gives_turn_and_octets_back(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=900_000))
    lines, octets = store.parts.steps.turns._lines, store.parts.steps.retriever._octets
    async with asyncio.timeout(patient(30)):
        for _ in range(2 * AT_ONCE):
            pieces = store.front.read_maildrop(ReadMaildrop(mailbox_id, 1, 1))
            await anext(pieces)
            await pieces.aclose()
        while lines or octets.taken:
            await asyncio.sleep(0.01)


async def test_a_message_larger_than_all_octets_is_still_searched(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=900_000))
    store.parts.steps.searcher._octets = Octets(100_000)
    assert uids((await store.front.search(SearchQuestion(mailbox_id, 1, ["TEXT", "xxxx"]))).uids) == [1]


async def test_a_preview_is_lazy_where_its_text_is_not_in_the_first_chunk(store, mailbox_id):
    large = b"Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n" + random.Random(4).randbytes(
        300_000
    )
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bbb\r\n\r\n--bbb\r\n"
    far = (
        head + large + b"\r\n--bbb\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nd\xc3\xa9j\xc3\xa0\r\n--bbb--\r\n"
    )
    await store.deliver(mailbox_id, message(text="near"), far, head + large + b"\r\n--bbb--\r\n")
    rows = await store.fetch(mailbox_id, sections=[Section(text=PREVIEW), Section(text=LAZY_PREVIEW)])
    assert [row[1:] for row in rows] == [[b"near", b"near"], ["déjà".encode(), None], [b"", b""]]
    rows = await store.fetch(mailbox_id, sections=[Section(text="HEADER"), Section(text="TEXT"), Section(text=PREVIEW)])
    assert [row[3] for row in rows] == [b"near", "déjà".encode(), b""]
