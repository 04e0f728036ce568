"""The text index: a search with it finds what a search without it finds, and nothing is left of a message that is gone."""

import asyncio
import random

import pytest

from mailkit.testing.speed import patient
from mailstore.mime import render
from mailstore.mime.search import Searched
from mailstore.mime.signature import LONGEST, MOST, asked, signature
from mailstore.mime.text import texts
from mailstore.reading import text_index
from mailstore.storage import signatures
from mailstore_api.wire import SearchQuestion
from tests.support import mime_samples

from .conftest import PREFIX, message, uids

HEAD = b"Subject: a word\r\nX-Folded: one\r\n\ttwo\r\n"
ROWS = "select uid from mailstore.text_signature where mailbox_id = $1 and folder_id = $2 order by uid"
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def samples(many):
    """Nested, encoded, in many charsets, broken; one whose first line continues the prefix; one with a long header."""
    chance = random.Random(78)
    found = [HEAD + each for each in mime_samples.structures()]
    found += [mime_samples.generate(seed) for seed in range(many)]
    found += [mime_samples.ordinary(number) for number in range(many // 4)]
    for charset, text in (
        ("utf-16", "Größe in Köln"),
        ("iso-2022-jp", "日本語のテキスト"),
        ("koi8-r", "Привет, мир"),
        ("utf-7", "naïve ﬁsh"),
        ("cp037", "ebcdic text"),
        ("gb18030", "简体中文"),
    ):
        head = f"Subject: {charset}\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode()
        found.append(head + text.encode(charset))
    found += [b" goes on\r\nA: b\r\n\r\ntext", b"X: " + b"long " * 60_000 + b"end\r\n\r\ntext"]
    chance.shuffle(found)
    return found


def keys_of(body, parts, chance):
    """Pieces of the message's octets and of its texts, also across lines and fields, and some that it has not."""
    keys = [
        "zzzz",
        "ab",
        "a word",
        ": ",
        "\r\n\r\n",
        "one two",
        "one\ttwo",
        "ﬁ",
        "ß",
        "日本",
        "kölN",
        "bounce",
        "n> goes on",
    ]
    for piece in [(PREFIX + body).decode("latin-1"), *texts(body, parts, with_header=True)]:
        for _ in range(4):
            at = chance.randrange(len(piece) + 1)
            keys.append(piece[at : at + chance.randint(1, 12)].replace("\0", ""))
    return keys


def admits(filter_, key):
    return all(filter_[at // 8] >> at % 8 & 1 for at in (each % (8 * len(filter_)) for each in asked(key)))


def test_no_message_that_contains_a_key_is_ruled_out():
    chance = random.Random(7)
    contained = ruled_out = 0
    for body in samples(160):
        parts = render(body).parts
        made = signature(body, parts, PREFIX)
        assert made is not None and len(made) <= MOST
        found = Searched(body, parts, PREFIX)
        for key in keys_of(body, parts, chance):
            fields = [name.decode("latin-1") for name in found._fields]
            if (
                found.text_contains(key)
                or found.body_contains(key)
                or any(found.header_contains(f, key) for f in fields)
            ):
                contained += 1
                assert admits(made, key), (body, key)
            else:
                ruled_out += not admits(made, key)
    assert contained > 1000 and ruled_out > 500


def test_signatures_never_change():
    """They are stored: what earlier releases made is compared with hashes made by this one."""
    body = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nHello.\r\n"
    assert signature(body, render(body).parts, b"") == bytes.fromhex("c06070260a0000014684208204")
    assert asked("Grüße") == [2620, 7731, 29090, 36842, 40658, 44749]
    assert asked("ab") == [] and len(asked("abc")) == 1 and len(asked("x" * 99 + "abcdefghijklmnopqrstuvwxyz")) == 16


def test_a_long_text_has_no_signature_and_an_attachment_does_not_count():
    text = b"A: b\r\n\r\n" + b"word " * (LONGEST // 5 + 1)
    assert signature(text, render(text).parts, b"") is None
    attached = b"Content-Type: application/pdf\r\n\r\n" + b"x" * (LONGEST + 1)
    mixed = mime_samples.multipart(b"b", b"Content-Type: text/plain\r\n\r\nhello", attached)
    assert signature(mixed, render(mixed).parts, b"")
    many = "".join(chr(0x4E00 + n % 20_000) + chr(0x3041 + n % 83) for n in range(100_000)).encode()
    body = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + many
    made = signature(body, render(body).parts, b"")
    assert made is not None and len(made) == MOST


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"text_index": True})


@pytest.fixture
def search(store, mailbox_id):
    async def found(*program, folder_id=1):
        return uids((await store.front.search(SearchQuestion(mailbox_id, folder_id, list(program)))).uids)

    return found


@pytest.fixture
def index(store):
    async def done():
        while store.parts.index._due:
            await store.parts.index.step()

    return done


@pytest.fixture
def read(store, monkeypatch):
    """Numbers of the bodies that searches read."""
    numbers, read_many = [], store.bodies.read_many

    async def counted(body_ids):
        numbers.append(len(body_ids))
        return await read_many(body_ids)

    monkeypatch.setattr(store.bodies, "read_many", counted)
    return numbers


async def indexed(store, mailbox_id, folder_id=1):
    return [row["uid"] for row in await store.pool.fetch(ROWS, mailbox_id, folder_id)]


async def test_a_search_with_the_index_finds_what_one_without_it_finds(store, mailbox_id, search, index):
    chance = random.Random(3)
    bodies = [each for each in samples(24) if len(each) < 100_000][:40]
    await store.append_all(mailbox_id, bodies)
    programs = []
    for body in chance.sample(bodies, 4):
        for key in chance.sample(keys_of(body, render(body).parts, chance), 3):
            leaf = chance.choice([["TEXT", key], ["BODY", key], ["HEADER", "subject", key], ["HEADER", "x-folded", ""]])
            more = chance.choice([["SUBJECT", "a"], ["BODY", "text"], ["LARGER", 500]])
            programs += [leaf, ["NOT", leaf], ["OR", more, leaf], ["AND", ["NOT", more], leaf]]
    before = [await search(*program) for program in programs]
    assert sum(map(len, before)) > len(programs)
    await index()
    assert await indexed(store, mailbox_id) == list(range(1, len(bodies) + 1))
    assert [await search(*program) for program in programs] == before


async def test_a_folder_is_indexed_once_its_texts_are_searched(store, mailbox_id, search, index, read, monkeypatch):
    monkeypatch.setattr(text_index, "SLICE", 2)
    await store.deliver(mailbox_id, *(message(text=f"word{n}") for n in range(5)))
    read.clear()
    assert await search("SUBJECT", "hello") == [1, 2, 3, 4, 5] and not store.parts.index._due
    assert await search("TEXT", "word3") == [4] and read.pop() == 5
    await index()
    assert await indexed(store, mailbox_id) == [1, 2, 3, 4, 5]
    read.clear()
    assert await search("TEXT", "word3") == [4] and read == [1]
    assert await search("TEXT", "nowhere") == [] and read == [1]
    assert await search("BODY", "wo") == [1, 2, 3, 4, 5] and read == [1, 5], "too short"
    await store.deliver(mailbox_id, message(text="word3 again"))
    read.clear()
    assert await search("TEXT", "word3") == [4, 6] and read == [2], "new mail is searched itself"
    assert store.parts.index._due == {(mailbox_id, 1): 6}


async def test_nothing_is_left_of_a_message_that_is_gone(store, mailbox_id, search, index):
    await store.deliver(mailbox_id, *(message(text=f"word{n}") for n in range(6)))
    await store.change("create", mailbox_id, "a")
    await search("TEXT", "word")
    await index()
    await store.store(mailbox_id, [(1, 2)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    folder = (await store.folders(mailbox_id))["a"].folder_id
    assert (await store.copy(mailbox_id, [(3, 3)], "a")).status == "ok"
    assert (await store.copy(mailbox_id, [(4, 4)], "a", move=True)).status == "ok"
    assert (await indexed(store, mailbox_id), await indexed(store, mailbox_id, folder)) == ([3, 5, 6], [1, 2])
    assert await search("TEXT", "word3", folder_id=folder) == [2]
    await store.change("delete", mailbox_id, "a")
    assert await indexed(store, mailbox_id, folder) == []
    await store.admin.purge_mailbox(str(mailbox_id))
    assert await store.pool.fetchval("select count(*) from mailstore.text_signature") == 0


async def test_a_removal_waits_for_the_index_and_sees_what_it_wrote(store, mailbox_id):
    """The statement that removes messages may have begun before the index committed."""
    await store.deliver(mailbox_id, message())
    rows = await store.parts.index._rows.unsigned(mailbox_id, 1, 1, 9)
    async with store.pool.acquire() as connection, asyncio.timeout(patient(20)):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(signatures.queries.sign, mailbox_id, 1, [rows[0].uid], [b"x"])
        await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted")
        (body_id,) = await store.put(message())
        assert await store.file(store.filing(mailbox_id, body_id)) == ["filed"], "neither a filing nor STORE waits"
        expunging = asyncio.create_task(store.expunge(mailbox_id))
        while not await store.pool.fetchval(WAITING):
            await asyncio.sleep(0.01)
        await transaction.commit()
        await expunging
    assert await indexed(store, mailbox_id) == []
    await store.parts.index._rows.sign(mailbox_id, 1, [(1, b"x")])
    assert await indexed(store, mailbox_id) == [], "a message that is gone is not added"
