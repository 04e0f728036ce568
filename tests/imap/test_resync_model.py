"""Six clients of two front ends change a folder at random and open it again by what they know: each then has what a fresh client gets (RFC 7162).

`make imap-model` walks 100,000 steps. A part of a folder has at most eight messages here, so that a few dozen have several.
"""

import asyncio
import os
import random
import re
from collections.abc import Awaitable, Callable

import pytest

from mailstore.upkeep.maintain import TOMBSTONES
from pop_imap_frontend.imap import modseqs, resync
from pop_imap_frontend.imap.folder import chunk, messages, spans, view
from pop_imap_frontend.imap.folder.cache import SharedFolders
from pop_imap_frontend.imap.verbs import store

from .conftest import Client, Imap
from .model_client import Known, ModelClient, numbers

STEPS = int(os.environ.get("POSTRIDER_TEST_IMAP_STEPS", "150"))
SEED = int(os.environ.get("POSTRIDER_TEST_IMAP_SEED", "1"))
#: Steps after which the numbers in mailstore's tables are compared with its messages.
COUNTED = 100


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (chunk, messages):
        monkeypatch.setattr(module, "MOST_MESSAGES", 8)
    for module in (messages, spans, view, resync, modseqs, store):
        monkeypatch.setattr(module, "BLOCK", 5)
    monkeypatch.setattr(messages, "_NEW_BLOCK", 16)
    monkeypatch.setattr(messages.blocks, "__defaults__", (5,))
    monkeypatch.setattr(chunk, "_OCTET", 6)
    monkeypatch.setattr(chunk, "_FEW", 3)


def beside(imap: Imap, *, most_octets: int = 1 << 20) -> Imap:
    """Another front end for the same mailbox, with folders, sessions and a connection to mailstore of its own."""
    made = Imap(imap.store)
    made.account = imap.account
    mailstore = imap.store.client("frontend")
    made.shared |= {
        "logins": imap.shared["logins"],
        "mailstore": mailstore,
        "folders": SharedFolders(mailstore, most_octets),
    }
    return made


async def fresh(observer: Client) -> Known:
    """What a client gets that knows nothing, from a front end that knows nothing. Its SEARCH and STATUS have to agree."""
    found: Known = {}
    if b"* 0 EXISTS" in await observer.ok("EXAMINE INBOX"):
        return found
    model = ModelClient.__new__(ModelClient)
    model.kind, model.seen = "condstore", 0
    for line in await observer.ok("FETCH 1:* (UID FLAGS MODSEQ)"):
        if uid := re.search(rb"\bUID (\d+)", line):
            found[int(uid[1])] = model.state_in(line, None)
    return found


def assert_same(model: ModelClient, truth: Known) -> None:
    assert model.sequence == sorted(truth) == sorted(model.known)
    for uid, (flags, modseq) in truth.items():
        assert model.known[uid][0] == flags, (uid, model.known[uid], flags)
        # a flag that was changed and changed back has a MODSEQ that no response was needed for
        assert model.kind == "plain" or model.known[uid][1] <= modseq, (uid, model.known[uid], modseq)


async def assert_answers(model: ModelClient, observer: Client, truth: Known, rng: random.Random) -> None:
    """What the session says of its own view, and mailstore of the folder, is the truth, too."""
    flag, key = rng.choice(((b"\\Seen", "SEEN"), (b"\\Deleted", "DELETED"), (b"work", "KEYWORD work")))
    without = rng.random() < 0.5
    wanted = [uid for uid, (flags, _) in sorted(truth.items()) if (flag in flags) != without]
    assert model.client is not None
    *_, found = (await model.client.ok(f"UID SEARCH RETURN (ALL) {'NOT ' if without else ''}{key}"))[-1].split()
    assert (numbers(found) if found != b"UID" else []) == wanted
    key, program = rng.choice(("DATE", "REVERSE DATE", "REVERSE SIZE")), rng.choice(("ALL", "SEEN", "NOT DELETED"))
    ordered = await model.client.ok(f"UID SORT ({key}) UTF-8 {program}")
    assert ordered[-1:] == (await observer.ok(f"UID SORT ({key} {key}) UTF-8 {program}"))[-1:]  # two keys: by mailstore
    status = (await model.client.ok("STATUS INBOX (MESSAGES UNSEEN)"))[-1]
    unseen = sum(b"\\Seen" not in flags for flags, _ in truth.values())
    assert status.endswith(b"(MESSAGES %d UNSEEN %d)" % (len(truth), unseen)), (status, unseen)


async def test_a_resynchronised_view_is_a_fresh_one(imap: Imap, small_parts: None) -> None:
    rng = random.Random(SEED)
    other, empty = beside(imap), beside(imap, most_octets=0)
    try:
        await walk(rng, imap, other, empty)
    finally:
        await other.aclose()
        await empty.aclose()


async def walk(rng: random.Random, imap: Imap, other: Imap, empty: Imap) -> None:
    observer = await empty.log_in()
    models = [
        ModelClient(imap, "qresync"),
        ModelClient(other, "qresync", rev2=True),
        ModelClient(imap, "condstore"),
        ModelClient(other, "plain"),
        ModelClient(imap, "condstore", notifies=True),
        ModelClient(other, "qresync"),
    ]
    for model in models:
        await model.open(rng)
    for at in range(STEPS):
        chosen = rng.sample(models, 2 if rng.random() < 0.2 else 1)
        steps: list[Callable[[random.Random], Awaitable[None]]] = [
            model.open if rng.random() < 0.1 else model.step for model in chosen
        ]
        await asyncio.gather(*(step(random.Random(rng.random())) for step in steps))
        opened = len(chosen) == 1 and steps[0] == chosen[0].open
        if rng.random() < 0.01:  # the expunges that some clients have not heard of are forgotten
            imap.store.pass_time(TOMBSTONES.total_seconds() + 1)
            await imap.store.parts.maintenance.round()
            for model in models:
                await model.open(rng)
            opened = False  # CLOSE of one that was opened later may have removed messages
        for front in (imap, other):
            if rng.random() < 0.5:
                front.watch._mark_all()  # as the feed does
            if rng.random() < 0.02:
                front.shared["folders"] = SharedFolders(front.shared["mailstore"])  # for the sessions from now on
        try:
            for model in chosen:
                if not opened:  # then it has to be right without asking again
                    await model.sync()
            truth = await fresh(observer)
            for model in chosen:
                assert_same(model, truth)
            if rng.random() < 0.3:
                await assert_answers(rng.choice(chosen), observer, truth, rng)
            if at % COUNTED == 0:
                await imap.store.usage(imap.mailbox_id)
        except AssertionError as error:
            raise AssertionError(f"step {at}, seed {SEED}, {[model.kind for model in chosen]}: {error}") from error
