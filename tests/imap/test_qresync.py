"""QRESYNC: what a client that knew the folder is sent, with and without tombstones, and when expunges may be shown (RFC 7162 3.2)."""

import re

import pytest

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore.upkeep.maintain import TOMBSTONES
from pop_imap_frontend.imap.folder.messages import FolderMessages
from pop_imap_frontend.imap.modseqs import absent, known_ranges

from .conftest import Client, Imap

BODY = b"Subject: a\r\n\r\nb\r\n"


@pytest.fixture
async def known(imap: Imap) -> tuple[int, int]:
    """UIDVALIDITY and MODSEQ of a folder of six messages, of which then 2 and 3 go, 5 is flagged and 7 comes."""
    for _ in range(6):
        await imap.store.append(imap.mailbox_id, BODY)
    before = await imap.store.open(imap.mailbox_id)
    client = await imap.select()
    await client.ok("STORE 2:3 +FLAGS.SILENT (\\Deleted)")
    await client.ok("EXPUNGE")
    await client.ok("UID STORE 5 +FLAGS.SILENT (\\Flagged)")
    await imap.store.append(imap.mailbox_id, BODY)
    await client.ok("LOGOUT")
    return before.uidvalidity, before.highest_modseq


async def opened(imap: Imap, parameters: str) -> list[bytes]:
    """The responses to SELECT about messages, with MODSEQs as the distance from the folder's."""
    client = await imap.log_in()
    await client.ok("ENABLE QRESYNC")
    lines = await client.ok(f"SELECT INBOX (QRESYNC ({parameters}))")
    (highest,) = [int(match[1]) for line in lines if (match := re.search(rb"HIGHESTMODSEQ (\d+)", line))]
    return [
        re.sub(rb"MODSEQ \((\d+)\)", lambda match: b"MODSEQ (-%d)" % (highest - int(match[1])), line)
        for line in lines
        if b"VANISHED" in line or b" FETCH " in line
    ]


async def test_a_known_folder_is_opened_with_what_changed(imap: Imap, known: tuple[int, int]) -> None:
    uidvalidity, modseq = known
    changed, came = (
        b"* 3 FETCH (UID 5 FLAGS (\\Flagged) MODSEQ (-1))",
        b"* 5 FETCH (UID 7 FLAGS (\\Recent) MODSEQ (-0))",
    )
    assert await opened(imap, f"{uidvalidity} {modseq}") == [b"* VANISHED (EARLIER) 2:3", changed, came]
    came = came.replace(b"\\Recent", b"")
    assert await opened(imap, f"{uidvalidity} {modseq} 1:6") == [b"* VANISHED (EARLIER) 2:3", changed]
    assert await opened(imap, f"{uidvalidity} {modseq} 3,5,900") == [b"* VANISHED (EARLIER) 3", changed]
    assert await opened(imap, f"{uidvalidity} {modseq} 1,4 (1,2 1,4)") == []
    assert await opened(imap, f"{uidvalidity} {modseq + 2}") == [changed, came]
    assert await opened(imap, f"{uidvalidity} {2**63 - 1}") == []
    assert await opened(imap, f"{uidvalidity + 1} 1 1:6") == []


async def test_expunges_that_are_forgotten(imap: Imap, known: tuple[int, int]) -> None:
    """All UIDs of the client's set that are not there (RFC 7162 3.2.10.1)."""
    imap.store.pass_time(TOMBSTONES.total_seconds() + 1)
    await imap.store.parts.maintenance.round()
    uidvalidity, modseq = known
    assert (await opened(imap, f"{uidvalidity} {modseq}"))[0] == b"* VANISHED (EARLIER) 2:3"
    assert (await opened(imap, f"{uidvalidity} {modseq} 3:900"))[0] == b"* VANISHED (EARLIER) 3"
    many = ",".join(str(uid) for uid in range(1, 12_000, 2))
    assert (await opened(imap, f"{uidvalidity} {modseq} {many}"))[0] == b"* VANISHED (EARLIER) 3"


async def test_expunges_wait_while_numbers_must_not_change(imap: Imap) -> None:
    """No EXPUNGE or VANISHED during FETCH, STORE and SEARCH by number (RFC 3501 7.4.1, RFC 7162 3.2.10.2)."""
    for _ in range(4):
        await imap.store.append(imap.mailbox_id, BODY)
    client, other = await imap.log_in(), await imap.select()
    await client.ok("ENABLE QRESYNC")
    await client.ok("SELECT INBOX")

    async def expunge(uid: int) -> None:
        await other.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        await other.ok("EXPUNGE")
        imap.sessions[0].changed.set()  # as the feed does

    await expunge(1)
    for command in (
        "FETCH 4 (MODSEQ)",
        "STORE 4 FLAGS (\\Seen)",
        "SEARCH MODSEQ 1",
        "FETCH 1:* (FLAGS) (CHANGEDSINCE 1)",
    ):
        lines = await client.ok(command)
        assert not any(b"VANISHED" in line or b"EXPUNGE" in line for line in lines), (command, lines)
        assert any(line.startswith((b"* 4 FETCH", b"* SEARCH")) for line in lines), (command, lines)
    await expunge(2)
    await client.ok("FETCH 4 (MODSEQ)")
    assert b"* VANISHED 1:2" in await client.ok("UID FETCH 4 (MODSEQ)")
    assert await client.ok("NOOP") == []
    assert await client.ok("UID SEARCH ALL") == [b"* SEARCH 3 4"]


async def test_a_fetch_of_changes_names_what_vanished_among_the_uids_asked_for(
    imap: Imap, known: tuple[int, int]
) -> None:
    client = await imap.log_in()
    await client.ok("ENABLE QRESYNC")
    await client.ok("SELECT INBOX")
    found = await client.ok(f"UID FETCH 3:6 (RFC822.SIZE) (CHANGEDSINCE {known[1]} VANISHED)")
    assert found[0] == b"* VANISHED (EARLIER) 3"
    assert [line.split(b" MODSEQ")[0] for line in found[1:]] == [b"* 3 FETCH (UID 5 RFC822.SIZE 17"]


async def test_conditional_stores_of_two_sessions(imap: Imap) -> None:
    """One of two wins; the other one gets the flags as they are before its answer."""
    await imap.store.append(imap.mailbox_id, BODY)
    one, two = await imap.select(), await imap.select()
    (line,) = [each for each in await one.ok("FETCH 1 MODSEQ") if b"FETCH" in each]
    modseq = int(line.split(b"(")[2].rstrip(b")"))
    assert (await one.last(f"STORE 1 (UNCHANGEDSINCE {modseq}) +FLAGS (mine)")).startswith("OK STORE")
    *untagged, last = await two.ask(f"STORE 1 (UNCHANGEDSINCE {modseq}) +FLAGS (yours)")
    assert last.startswith(b"OK [MODIFIED 1]")
    assert b"* 1 FETCH (UID 1 FLAGS (mine) MODSEQ (%d))" % (modseq + 1) in untagged


async def _closes(client: Client, command: str) -> bool:
    return (await client.ask(command))[0] == b"* OK [CLOSED] the mailbox selected before is closed"


async def test_the_end_of_a_selected_folder_is_shown(imap: Imap) -> None:
    client = await imap.log_in()
    assert not await _closes(client, "SELECT INBOX")
    assert await _closes(client, "EXAMINE Sent")
    assert await _closes(client, "SELECT Nowhere")
    assert not await _closes(client, "SELECT INBOX")


def test_the_uids_that_are_not_there_in_linear_time() -> None:
    def work(size: int) -> int:
        known = known_ranges([(low, low) for low in range(1, size, 2)], size)
        return sum(map(len, absent(known, FolderMessages())))

    assert growth(lambda size: size, work, 50_000) < MOST_GROWTH


async def test_a_new_message_that_goes_while_the_folder_is_opened(
    imap: Imap, known: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted by EXISTS, so that the client has to be sent its UID, and then that it vanished."""
    store = imap.store
    real = store.front.modseqs

    async def late(question: object) -> object:
        await store.store(imap.mailbox_id, [(7, 7)], "add", "\\Deleted")
        await store.expunge(imap.mailbox_id)
        return await real(question)  # type: ignore[arg-type]

    monkeypatch.setattr(store.front, "modseqs", late)
    client = await imap.log_in()
    await client.ok("ENABLE QRESYNC")
    lines = await client.ok(f"SELECT INBOX (QRESYNC ({known[0]} {known[1]}))")
    assert b"* 5 EXISTS" in lines and any(line.startswith(b"* 5 FETCH (UID 7 ") for line in lines)
    assert b"* VANISHED 7" in await client.ok("NOOP")
