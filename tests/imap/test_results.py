"""Saved results, pages and threads through a session: what other sessions change, what is not saved, several charsets."""

import re

import pytest

from pop_imap_frontend.imap import results

from .conftest import Client, Imap


@pytest.fixture
async def client(imap: Imap) -> Client:
    for number in range(6):
        refers = f"<{number - 1}@x>" if number % 2 else ""
        await imap.store.append(
            imap.mailbox_id,
            f"Subject: s{number // 2}\r\nMessage-ID: <{number}@x>\r\nReferences: {refers}\r\n\r\nbody {number}\r\n".encode(),
        )
    return await imap.select()


async def esearch(client: Client, command: str) -> str:
    """The result of an extended search, without its tag."""
    (line,) = await client.ok(command)
    return re.sub(r"^\* ESEARCH \(TAG \"t\d+\"\) ?", "", line.decode())


async def test_a_saved_result_loses_what_is_expunged_and_gains_nothing(imap: Imap, client: Client) -> None:
    """RFC 5182 2.1: expunged messages leave it, and numbers are adjusted."""
    await client.ok("UID SEARCH RETURN (SAVE) 2:4,6")
    await client.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    await client.ok("EXPUNGE")
    await imap.store.append(imap.mailbox_id, b"Subject: late\r\n\r\nx\r\n")
    await client.ok("NOOP")
    assert await client.ok("UID SEARCH $") == [b"* SEARCH 2 4 6"]
    assert await client.ok("FETCH $ UID") == [b"* %d FETCH (UID %d)" % (n, u) for n, u in ((1, 2), (2, 4), (4, 6))]
    assert await esearch(client, "SEARCH RETURN (COUNT) NOT $") == "COUNT 2"
    await client.ok("UID EXPUNGE $")
    await client.ok("SELECT INBOX")
    assert await client.ok("SEARCH $") == [b"* SEARCH"]


async def test_what_save_keeps(client: Client) -> None:
    """RFC 5182 2.4 and RFC 9394 3.2."""
    for options, kept in [
        ("SAVE", "1:6"),
        ("SAVE MIN", "1"),
        ("MAX SAVE", "6"),
        ("MIN MAX SAVE", "1,6"),
        ("MIN COUNT SAVE", "1:6"),
        ("SAVE ALL MAX", "1:6"),
        ("SAVE PARTIAL 2:3", "2:3"),
        ("SAVE PARTIAL -2:-3 MAX", "4:6"),
        ("SAVE MIN PARTIAL 5:9", "1,5:6"),
        ("SAVE PARTIAL 1:2 COUNT", "1:6"),
    ]:
        for command in ("SEARCH", "UID SEARCH"):
            for key in ("ALL", "TEXT body"):
                await client.ok(f"{command} RETURN ({options}) {key}")
                assert await esearch(client, "SEARCH RETURN () $") == f"ALL {kept}", (options, key)


async def test_what_has_too_many_ranges_is_not_saved(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.ok("SEARCH RETURN (SAVE) 1")
    monkeypatch.setattr(results, "MOST_RANGES", 2)
    assert (await client.last("SEARCH RETURN (SAVE) 1,3,5")).startswith("NO [NOTSAVED]")
    assert await client.ok("SEARCH $") == [b"* SEARCH"]
    await client.ok("SEARCH RETURN (SAVE) 1,3:6")
    assert (await client.last("SEARCH RETURN (SAVE) CHARSET X-NONE ALL")).startswith("NO [BADCHARSET")
    assert await client.ok("SEARCH $") == [b"* SEARCH"]
    await client.ok("SEARCH RETURN (SAVE) 2")
    assert (await client.last("SEARCH RETURN (SAVE) FROB")).startswith("BAD")
    assert await client.ok("SEARCH $") == [b"* SEARCH 2"]


async def test_the_modseq_is_that_of_what_is_returned(client: Client) -> None:
    """RFC 4731 3.2."""
    await client.ok("STORE 6 +FLAGS (\\Seen)")
    await client.ok("STORE 2 +FLAGS (\\Seen)")
    *_, line = await client.ok("FETCH 6 (MODSEQ)")
    sixth = int(line.split(b"(")[-1].rstrip(b")"))
    for options, modseq in [("MAX", sixth), ("ALL", sixth + 1), ("MAX COUNT", sixth + 1), ("MIN", sixth + 1)]:
        *_, line = await client.ok(f"SEARCH RETURN ({options}) MODSEQ {sixth}")
        assert line.endswith(b" MODSEQ %d" % modseq), options


async def test_threads_of_what_the_client_knows(imap: Imap, client: Client) -> None:
    assert await client.ok("THREAD REFERENCES UTF-8 ALL") == [b"* THREAD (1 2)(3 4)(5 6)"]
    assert await client.ok("UID THREAD REFERENCES UTF-8 OR 2 3:4") == [b"* THREAD (2)(3 4)"]
    await imap.store.append(imap.mailbox_id, b"Subject: late\r\nIn-Reply-To: <2@x>\r\n\r\nx\r\n")
    assert await client.ok("THREAD ORDEREDSUBJECT UTF-8 ALL") == [b"* THREAD (1 2)(3 4)(5 6)"]
    await client.ok("NOOP")
    assert await client.ok("THREAD REFERENCES UTF-8 ALL") == [b"* THREAD (1 2)(3 (4)(7))(5 6)"]


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("ISO-2022-JP", "iso2022-jp"), ("koi8-r", "koi8-r"), ("Shift_JIS", "sjis"), ("UTF-16", "utf-16")],
)
async def test_charsets(imap: Imap, charset: str, codec: str) -> None:
    word = "привет" if codec == "koi8-r" else "日本語"
    raw = f"Subject: a {word} b\r\n\r\nx\r\n".encode()
    await imap.store.append(imap.mailbox_id, raw)
    client = await imap.select()
    octets = word.encode(codec)
    for command in (b"SEARCH CHARSET %b", b"SORT (DATE) %b", b"THREAD REFERENCES %b"):
        name = command.split(b" ")[0]
        expected = b"* THREAD (1)" if name == b"THREAD" else b"* %b 1" % name
        line = command % charset.encode() + b" SUBJECT {%d+}\r\n%b" % (len(octets), octets)
        assert await client.ok(line) == [expected]
