"""/v1/messages/search: every key, trees of them against a plain reading of the messages, programs that are none."""

import random
from datetime import UTC, datetime

import pytest

from mailkit.errors import BadRequest
from mailstore_client.wire import SearchQuestion

from .conftest import PREFIX, uids

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
    monkeypatch.setattr("mailstore.searching.BATCH", 1)
    monkeypatch.setattr("mailstore.searching.BATCH_BYTES", 10)
    assert await ready(["OR", ["BODY", "paid"], ["AND", ["FROM", "anna"], ["BODY", "pay"]]]) == {2, 3}


NO_PROGRAMS = [
    [], ["NONE"], ["AND"], ["NOT"], ["NOT", ["ALL"], ["ALL"]], ["FROM"], ["FROM", 5], ["SINCE", "yesterday"], ["UID"],
    ["UID", [[1]]], ["UID", [["a", "b"]]], ["LARGER", "5"], ["LARGER", -1], ["LARGER", 2**63], ["HEADER", "x"], [["ALL"]],
    ["OR", "ALL"], ["AND", *([["ALL"]] * 3000)], [5], [None, "x"], ["SENTALL", "2026-01-01"],
]  # fmt: skip


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
