"""IMAP4rev2 (RFC 9051): what differs from IMAP4rev1 once it is enabled, and that sessions of both work side by side."""

from .conftest import Client, Imap

BODY = b"Subject: a\r\n\r\nb\r\n"
GLOBAL = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/global\r\n\r\n"
    "From: Jürgen <jürgen@far.test>\r\nSubject: größe\r\n\r\ninner\r\n--b--\r\n"
).encode()


async def rev2(imap: Imap, name: str = "INBOX") -> Client:
    client = await imap.log_in()
    assert await client.ok("ENABLE IMAP4rev2") == [b"* ENABLED IMAP4rev2"]
    if name:
        await client.ok(f"SELECT {name}")
    return client


async def test_a_session_of_each_revision(imap: Imap) -> None:
    """RFC 9051 Appendix E: no \\Recent, which sessions of IMAP4rev1 see all the same."""
    new, old = await rev2(imap), await imap.select()
    await imap.store.append_all(imap.mailbox_id, [BODY, BODY])
    assert await new.ok("NOOP") == [b"* 2 EXISTS"]
    assert b"* 2 RECENT" in await old.ok("NOOP")
    assert await new.ok("FETCH 1:* (FLAGS)") == [b"* 1 FETCH (FLAGS ())", b"* 2 FETCH (FLAGS ())"]
    assert await old.ok("FETCH 1:* (FLAGS)") == [b"* 1 FETCH (FLAGS (\\Recent))", b"* 2 FETCH (FLAGS (\\Recent))"]
    assert await old.ok("SEARCH ALL") == [b"* SEARCH 1 2"]


async def test_select_has_list_and_neither_recent_nor_unseen(imap: Imap) -> None:
    """RFC 9051 6.3.2."""
    await imap.store.append(imap.mailbox_id, BODY)
    client = await rev2(imap, "")
    for command in ("SELECT inbox", "EXAMINE INBOX"):
        lines = b"\n".join(await client.ok(command))
        assert b'* LIST () "/" INBOX' in lines
        assert b"RECENT" not in lines and b"[UNSEEN" not in lines
    await client.ok(b'CREATE "\xc3\xbc"')
    assert '* LIST () "/" "ü"'.encode() in await client.ok(b'SELECT "\xc3\xbc"')


async def test_search_is_answered_with_esearch(imap: Imap) -> None:
    """RFC 9051 6.4.4, 7.3.4: as RETURN (ALL); SORT stays as RFC 5256 has it."""
    await imap.store.append_all(imap.mailbox_id, [BODY, BODY])
    client = await rev2(imap)
    for command, answer in (
        ("SEARCH SUBJECT a", b"ALL 1:2"),
        ("UID SEARCH SEEN", b"UID"),
        ("SEARCH CHARSET UTF-8 BODY b", b"ALL 1:2"),
        ("SEARCH RETURN (COUNT) ALL", b"COUNT 2"),
    ):
        (line,) = await client.ok(command)
        assert line.startswith(b"* ESEARCH (TAG ") and line.endswith(b") " + answer), line
    assert await client.ok("SORT (DATE) UTF-8 ALL") == [b"* SORT 1 2"]
    assert await client.ok("SEARCH RETURN (SAVE) ALL") == []
    assert len(await client.ok("FETCH $ (UID)")) == 2


async def test_message_global_has_an_envelope_and_a_structure(imap: Imap) -> None:
    """RFC 9051 7.5.2: as message/rfc822 has."""
    await imap.store.append(imap.mailbox_id, GLOBAL)
    client = await rev2(imap)
    (line,) = await client.ok("FETCH 1 (BODYSTRUCTURE)")
    assert b'"message" "global" NIL NIL NIL "7bit"' in line
    assert "größe".encode() in line and b'("text" "plain" ("charset" "us-ascii")' in line
    assert "Subject: größe".encode() in (await client.ok("FETCH 1 (BODY.PEEK[1.HEADER])"))[0]
    assert b"inner" in (await client.ok("FETCH 1 (BINARY.PEEK[1.1])"))[0]


async def test_it_is_enabled_before_a_mailbox_is_selected_and_ends_with_the_login(imap: Imap) -> None:
    """RFC 9051 6.3.1, RFC 8437."""
    client = await imap.select()
    assert (await client.last("ENABLE IMAP4rev2")).startswith("BAD IMAP4REV2 is enabled before")
    await client.ok("UNSELECT")
    assert await client.ok("ENABLE UTF8=ACCEPT IMAP4rev2 CONDSTORE") == [b"* ENABLED UTF8=ACCEPT IMAP4rev2 CONDSTORE"]
    assert await client.ok("ENABLE imap4REV2") == [b"* ENABLED"]
    await client.ok("UNAUTHENTICATE")
    await client.ok("LOGIN user@site.example secret")
    assert b"* 0 RECENT" in await client.ok("SELECT INBOX")
