"""SEARCH through a session: long chains, sets that name everything often, and what mailstore is asked."""

from typing import Any

import pytest

from .conftest import Client, Imap


@pytest.fixture
async def client(imap: Imap) -> Client:
    for number in range(5):
        await imap.store.append(imap.mailbox_id, f"Subject: s{number}\r\n\r\nbody {number}\r\n".encode())
    return await imap.select()


async def test_chains_of_a_thousand_keys(client: Client) -> None:
    assert await client.ok("SEARCH " + "OR SUBJECT none " * 999 + "SUBJECT s3") == [b"* SEARCH 4"]
    assert await client.ok("SEARCH" + " UNSEEN" * 1000) == [b"* SEARCH 1 2 3 4 5"]
    assert await client.ok("SEARCH " + "(UNSEEN " * 999 + "SUBJECT s3" + ")" * 999) == [b"* SEARCH 4"]
    assert await client.ok("SEARCH " + "NOT " * 5001 + "SUBJECT s3") == [b"* SEARCH 1 2 3 5"]
    assert (await client.last("SEARCH " + "OR SUBJECT none " * 1000 + "SUBJECT s3")).startswith("NO [LIMIT]")
    deep = "NOT (SEEN OR DRAFT " * 60 + "SEEN" + ")" * 60
    assert (await client.last(f"SEARCH {deep}")).startswith("NO [LIMIT]")


async def test_mailstore_gets_one_set(imap: Imap, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = imap.store.front.search

    async def search(question: Any) -> Any:
        asked.append(question.program)
        return await real(question)

    monkeypatch.setattr(imap.store.front, "search", search)
    everything = ",".join(["1:*"] * 5000)
    assert await client.ok(f"SEARCH {everything} UID 2:4 UID {everything} SUBJECT s 3:9") == [b"* SEARCH 3 4"]
    assert asked == [["AND", ["UID", [(3, 4)]], ["SUBJECT", "s"]]]
    assert await client.ok(f"FETCH {everything} UID") == [b"* %d FETCH (UID %d)" % (n, n) for n in range(1, 6)]
    await client.ok(f"STORE {everything} +FLAGS.SILENT (\\Seen)")
    await client.ok(f"UID COPY {everything} Sent")
    assert await client.ok("STATUS Sent (MESSAGES)") == [b"* STATUS Sent (MESSAGES 5)"]
    assert await client.ok("SEARCH SEEN") == [b"* SEARCH 1 2 3 4 5"]


async def test_flags_and_sets_are_answered_without_mailstore(
    imap: Imap, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap.store.front, "search", None)
    await client.ok("STORE 2,4 FLAGS (\\Seen $Work)")
    await client.ok("STORE 3 FLAGS (\\Deleted)")
    await client.ok("EXPUNGE")
    assert await client.ok("SEARCH UNSEEN") == [b"* SEARCH 1 4"]
    assert await client.ok("UID SEARCH UNSEEN") == [b"* SEARCH 1 5"]
    assert await client.ok("UID SEARCH OR KEYWORD $work UID 5 NOT 2") == [b"* SEARCH 4 5"]
    assert await client.ok("SEARCH ALL UNKEYWORD none RECENT") == [b"* SEARCH 1 2 3 4"]


async def test_a_search_by_uid_is_of_the_folder_as_it_is(imap: Imap, client: Client) -> None:
    """A program that polls by UID SEARCH alone sees what others have done; by number, expunges have to wait."""
    other = await imap.select()
    await other.ok("STORE 1,2 +FLAGS (\\Seen \\Deleted)")
    await other.ok("UID EXPUNGE 2")
    await imap.store.append(imap.mailbox_id, b"Subject: late\r\n\r\nx\r\n")
    imap.sessions[0].changed.set()
    found = await client.ok("SEARCH UNSEEN")
    assert b"* 6 EXISTS" in found and found[-1] == b"* SEARCH 2 3 4 5 6"  # 2 is expunged, and still counts
    found = await client.ok("UID SEARCH UNSEEN 2:4")
    assert found[0] == b"* 2 EXPUNGE"
    assert found[-1] == b"* SEARCH 3 4"  # 2:4 as the client counted when it asked
    assert await client.ok("UID SEARCH UNSEEN") == [b"* SEARCH 3 4 5 6"]


async def test_recent(imap: Imap, client: Client) -> None:
    assert await client.ok("SEARCH RECENT") == [b"* SEARCH 1 2 3 4 5"]
    await client.ok("STORE 1 +FLAGS.SILENT \\Seen")
    assert await client.ok("SEARCH NEW") == [b"* SEARCH 2 3 4 5"]
    assert await client.ok("SEARCH OLD") == [b"* SEARCH"]
    other = await imap.select()
    assert await other.ok("SEARCH RECENT") == [b"* SEARCH"]
    assert await other.ok("SEARCH NOT OLD") == [b"* SEARCH"]
    await imap.store.append(imap.mailbox_id, b"Subject: late\r\n\r\nx\r\n")
    assert await other.ok("NOOP") == [b"* 6 EXISTS", b"* 1 RECENT"]
    assert await other.ok("SEARCH RECENT") == [b"* SEARCH 6"]
