"""/v1/messages/sort and /v1/messages/thread: every key, several keys, rows not filled in yet, and what is refused."""

import itertools
import random

import pytest

from mailkit.errors import BadRequest, OverLimit
from mailstore.reading import search, sort
from mailstore.storage import sort as statements
from mailstore_api.wire import SORT_KEYS, SortQuestion, ThreadQuestion

from .conftest import uids
from .test_mailstore_backfill import make_old

SUBJECTS = ["Re: beta", "alpha", "[list] Fwd: Alpha", "", "émile", "Zeta", "_x"]
SENDERS = ["Zed <b@x.test>", "=?utf-8?q?=C3=84nne?= <Z@x.test>", "a@x.test", '"" <c@x.test>', "Bob <a@y.test>", ""]
DATES = ["Sun, 1 Mar 2026 10:00:00 -0500", "Sun, 1 Mar 2026 14:30:00 +0000", "none", "Mon, 2 Mar 2026 00:00:00 +0000"]


def messages() -> list[bytes]:
    random_ = random.Random(5)
    made = []
    for n, (subject, sender, date) in enumerate(itertools.product(SUBJECTS, SENDERS[:3], DATES[:2])):
        to, cc = random_.choice(SENDERS), random_.choice(SENDERS)
        date = random_.choice(DATES) if n % 3 else date
        head = (
            f"Subject: {subject}\r\nFrom: {sender}\r\nTo: {to}\r\nCc: {cc}\r\nDate: {date}\r\nMessage-ID: <{n}@x>\r\n"
        )
        made.append((head + "\r\n" + "x" * random_.randrange(50) + "\r\n").encode())
    return made


KEYS_OF = {"SUBJECT": "base_subject", "FROM": "from_mailbox", "TO": "to_mailbox", "CC": "cc_mailbox"}
KEYS_OF |= {"DISPLAYFROM": "from_display", "DISPLAYTO": "to_display"}


@pytest.fixture
async def ready(store, mailbox_id):
    """Returns what a SORT finds, and what the rows say."""
    for each in messages():
        store.pass_time(-30)  # arrival is not the order of UIDs
        await store.append(mailbox_id, each, internal_date=store.clock.timestamp())
    rows = await store.pool.fetch(
        "select * from mailstore.message join mailstore.rendered using (mailbox_id, folder_id, uid)"
    )

    async def sorted_by(*keys, program=("ALL",)):
        answer = await store.front.sort(SortQuestion(mailbox_id, 1, list(program), list(keys)))
        assert answer.status == "ok"
        return uids(answer.uids)

    def expected(*keys):
        found = sorted(rows, key=lambda row: row["uid"])
        for key in reversed(keys):
            found.sort(key=lambda row, name=key.removeprefix("-"): value(row, name), reverse=key.startswith("-"))
        return [row["uid"] for row in found]

    def value(row, name):
        if name == "DATE":
            return row["sent_at"] or row["internaldate"]
        return row[{"ARRIVAL": "internaldate", "SIZE": "size"}.get(name) or KEYS_OF[name]]

    return sorted_by, expected


async def test_every_key_and_its_reverse(ready):
    """RFC 5256: REVERSE does not reverse the order of equal messages."""
    sorted_by, expected = ready
    for key in SORT_KEYS:
        for each in (key, f"-{key}"):
            found = await sorted_by(each)
            assert found == expected(each), each
    assert await sorted_by("ARRIVAL") == sorted(await sorted_by("ARRIVAL"), reverse=True)


async def test_several_keys(ready):
    sorted_by, expected = ready
    for keys in [
        ("SUBJECT", "-DATE"),
        ("-FROM", "TO", "CC"),
        ("SIZE", "-ARRIVAL"),
        ("DISPLAYTO", "-DISPLAYFROM", "DATE"),
    ]:
        assert await sorted_by(*keys) == expected(*keys)


async def test_texts_are_in_the_order_of_the_collation(ready):
    sorted_by, _ = ready
    found = [SUBJECTS[(uid - 1) // 6] for uid in await sorted_by("SUBJECT")]
    alphas = ["alpha"] * 6 + ["[list] Fwd: Alpha"] * 6
    assert found == [""] * 6 + alphas + ["Re: beta"] * 6 + ["émile"] * 6 + ["Zeta"] * 6 + ["_x"] * 6


async def test_only_what_matches_is_sorted(ready):
    sorted_by, expected = ready
    wanted = [uid for uid in expected("-DATE") if 5 <= uid <= 20]
    assert await sorted_by("-DATE", program=["UID", [[5, 20]]]) == wanted
    assert await sorted_by("-DATE", program=["AND", ["UID", [[5, 20]]], ["TEXT", "x"]]) == wanted
    assert await sorted_by("SUBJECT", program=["SUBJECT", "nowhere"]) == []


async def test_rows_that_are_not_filled_in_yet_are_sorted_all_the_same(store, ready, monkeypatch):
    sorted_by, expected = ready
    await make_old(store, "uid % 2 = 0")
    monkeypatch.setattr(statements, "SLICE", 4)
    for key in SORT_KEYS:
        assert await sorted_by(key, "SIZE") == expected(key, "SIZE"), key
    monkeypatch.setattr(sort, "MOST_COMPUTED", 4)
    assert sorted(await sorted_by("SUBJECT")) == expected()


CONVERSATION = [
    "Message-ID: <a@x>\r\nSubject: one",
    "Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\nSubject: Re: one",
    'Message-ID: <c@x>\r\nReferences: <a@x> <"b"@x>\r\nSubject: Re: two',
    "Message-ID: <d@x>\r\nSubject: FW: one (fwd)",
    "Message-ID: <e@x>\r\nSubject: other",
]


async def threads(store, mailbox_id, algorithm, program=("ALL",)):
    answer = await store.front.thread(ThreadQuestion(mailbox_id, 1, list(program), algorithm))
    return list(zip(uids(answer.uids), uids(answer.depths), strict=True))


@pytest.mark.parametrize("old", [False, True])
async def test_threads(store, mailbox_id, monkeypatch, old):
    monkeypatch.setattr(sort, "THREAD_SLICE", 2)
    monkeypatch.setattr(statements, "THREAD_SLICE", 2)
    for each in CONVERSATION:
        store.pass_time(1)
        await store.append(mailbox_id, f"{each}\r\n\r\nx\r\n".encode())
    if old:  # References are not in the ENVELOPE
        await make_old(store, "uid <> 3")
    assert await threads(store, mailbox_id, "REFERENCES") == [(1, 0), (2, 1), (3, 2), (4, 1), (5, 0)]
    assert await threads(store, mailbox_id, "REFERENCES", ["UID", [[2, 4]]]) == [(0, 0), (2, 1), (3, 2), (4, 1)]
    assert await threads(store, mailbox_id, "REFERENCES", ["TEXT", "nowhere"]) == []
    subjects = [(1, 0), (2, 1), (4, 1), (3, 0), (5, 0)]
    assert await threads(store, mailbox_id, "ORDEREDSUBJECT") == subjects
    assert await threads(store, mailbox_id, "ORDEREDSUBJECT", ["TEXT", "x"]) == subjects


async def test_what_is_refused(store, mailbox_id, monkeypatch):
    await store.append(mailbox_id, b"a: b\r\n\r\n")
    for keys in ([], ["-"], ["date"], ["--DATE"], ["DATE", "RELEVANCY"]):
        with pytest.raises(BadRequest):
            await store.front.sort(SortQuestion(mailbox_id, 1, ["ALL"], keys))
    with pytest.raises(BadRequest):
        await store.front.sort(SortQuestion(mailbox_id, 1, ["NONE"], ["DATE"]))
    with pytest.raises(BadRequest):
        await store.front.thread(ThreadQuestion(mailbox_id, 1, ["ALL"], "REFS"))  # type: ignore[arg-type]
    assert (await store.front.sort(SortQuestion(mailbox_id, 99, ["ALL"], ["DATE"]))).status == "gone"
    assert (await store.front.thread(ThreadQuestion(mailbox_id, 99, ["ALL"], "REFERENCES"))).status == "gone"
    monkeypatch.setattr(sort, "MOST_THREADED", 0)
    with pytest.raises(OverLimit):
        await store.front.thread(ThreadQuestion(mailbox_id, 1, ["ALL"], "REFERENCES"))
    monkeypatch.setattr(search, "MOST_SECONDS", 0)
    with pytest.raises(OverLimit):
        await store.front.sort(SortQuestion(mailbox_id, 1, ["ALL"], ["DATE"]))
