"""UTF8=ACCEPT (RFC 9755): names and strings in UTF-8 once it is enabled, modified UTF-7 otherwise."""

import pytest

from .conftest import Client, Imap

NAME = "Entwürfe/日本"
UTF7 = b"Entw&APw-rfe/&ZeVnLA-"
HEADER = "Subject: größe\r\n\r\ntext\r\n".encode()


async def enabled(imap: Imap) -> Client:
    client = await imap.log_in()
    assert await client.ok("ENABLE UTF8=ACCEPT") == [b"* ENABLED UTF8=ACCEPT"]
    return client


async def test_names_are_those_of_the_client(imap: Imap) -> None:
    client, plain = await enabled(imap), await imap.log_in()
    quoted = f'"{NAME}"'
    await client.ok(f"CREATE {quoted}")
    assert f'"/" {quoted}'.encode() in b"".join(await client.ok('LIST "" "Entw*"'))
    assert b'"/" ' + UTF7 in b"".join(await plain.ok('LIST "" "Entw*"'))
    assert await client.ok(f"STATUS {quoted} (MESSAGES)") == [f"* STATUS {quoted} (MESSAGES 0)".encode()]
    assert await plain.ok(b"STATUS " + UTF7 + b" (MESSAGES)") == [b"* STATUS " + UTF7 + b" (MESSAGES 0)"]
    assert (await client.ok(f"GETQUOTAROOT {quoted}"))[0] == f'* QUOTAROOT {quoted} ""'.encode()
    await client.ok(f"SUBSCRIBE {quoted}")
    assert f'"/" {quoted}'.encode() in b"".join(await client.ok('LSUB "" "*"'))
    await client.ok(f"APPEND {quoted} {{3+}}\r\nabc")
    await client.ok(f'RENAME {quoted} "a & \\"b\\" ü"')
    assert await client.ok('STATUS "a & \\"b\\" ü" (MESSAGES)') == ['* STATUS "a & \\"b\\" ü" (MESSAGES 1)'.encode()]
    await client.ok("CREATE &")  # no shift in UTF-8
    assert b'* LIST (\\HasNoChildren) "/" &-' in await plain.ok('LIST "" "*"')
    name = "ü".encode()
    await client.ok(b"CREATE {%d+}\r\n%b" % (len(name), name))
    await client.ok('SELECT "ü"')


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b'CREATE "a\xff"', "BAD the string is not valid utf-8"),
        (b'SELECT "a\xff"', "BAD the string is not valid utf-8"),
        (b"CREATE {2+}\r\na\xff", "BAD the string is not valid utf-8"),
        ('CREATE "u\u0308"'.encode(), "NO [CANNOT] a new name is in Unicode Normalization Form C"),
        ('RENAME Drafts "u\u0308"'.encode(), "NO [CANNOT] a new name is in Unicode Normalization Form C"),
        ('CREATE "a\u2028b"'.encode(), "NO [CANNOT] that cannot be done with this name"),
        ('CREATE "a\u0085b"'.encode(), "NO [CANNOT] that cannot be done with this name"),
        (b"CREATE \xc3\xbc", "BAD expected a string"),
        (b'ID ("name" "\xff")', "BAD the string is not valid utf-8"),
    ],
)
async def test_what_is_refused(imap: Imap, command: bytes, answer: str) -> None:
    client = await enabled(imap)
    assert await client.last(command) == answer
    assert len(await client.ok('LIST "" "*"')) == 6


async def test_it_is_enabled_before_a_mailbox_is_selected(imap: Imap) -> None:
    client = await imap.select()
    assert (await client.last("ENABLE UTF8=ACCEPT")).startswith("BAD UTF8=ACCEPT is enabled before")
    await client.ok("UNSELECT")
    await client.ok("ENABLE utf8=accept CONDSTORE")
    assert await client.ok("ENABLE UTF8=ACCEPT") == [b"* ENABLED"]
    await client.ok("UNAUTHENTICATE")
    await client.ok("LOGIN user@site.example secret")
    await client.ok(b"CREATE " + UTF7)  # modified UTF-7 again
    assert b'"/" ' + UTF7 in b"".join(await client.ok('LIST "" "*"'))


async def test_search_has_no_charset(imap: Imap) -> None:
    await imap.store.append(imap.mailbox_id, HEADER)
    client = await enabled(imap)
    await client.ok("SELECT INBOX")
    assert await client.ok('SEARCH SUBJECT "größe"') == [b"* SEARCH 1"]
    assert (await client.last('SEARCH CHARSET UTF-8 SUBJECT "größe"')).startswith("BAD")
    assert await client.ok('UID SORT (DATE) UTF-8 SUBJECT "größe"') == [b"* SORT 1"]


async def test_appended_with_utf8_headers_and_sent_as_it_is(imap: Imap) -> None:
    client, plain = await enabled(imap), await imap.select()
    literal = b"~{%d+}\r\n%b" % (len(HEADER), HEADER)
    await client.ok(b"APPEND INBOX (\\Seen) UTF8 (" + literal + b")")
    await client.ok(b"APPEND INBOX UTF8 (" + literal + b") UTF8 (" + literal + b")")
    await client.ok(b"APPEND INBOX " + literal)
    await plain.ok(b"APPEND INBOX {%d+}\r\n%b" % (len(HEADER), HEADER))
    for wrong in (b"UTF8 (" + literal, b'UTF8 ("x")', b"UTF8 " + literal, b"UTF8 ()"):
        assert (await client.last(b"APPEND INBOX " + wrong)).startswith("BAD")
    assert (await plain.last(b"APPEND INBOX UTF8 (" + literal + b")")).startswith("BAD")
    for session in (client, plain):
        await session.ok("EXAMINE INBOX")
        rows = await session.ok("FETCH 1:* BODY.PEEK[]")
        assert [row.count(HEADER) for row in rows] == [1] * 5
