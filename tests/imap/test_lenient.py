"""What clients send that RFC 3501's grammar has no place for, and every other server takes."""

import pytest

from .conftest import Imap

TAKEN = [
    "NOOP ",
    "  NOOP",
    "CREATE  Extra ",
    "STATUS INBOX (MESSAGES )",
    "STATUS  INBOX  ( MESSAGES  UNSEEN ) ",
    "ID (name foo version 1)",
    'ID ( "name" "foo" )',
    "ID NIL ",
    "SELECT  INBOX ",
    "FETCH 1  (FLAGS  UID )",
    "FETCH 1 FLAGS ",
    "FETCH 1 BODY.PEEK[HEADER.FIELDS ( DATE  FROM )]",
    "STORE 1 +FLAGS  (\\Seen )",
    "STORE 1 +FLAGS \\Seen ",
    "UID  FETCH 1 FLAGS",
    "SEARCH  ALL ",
    "SEARCH ( SEEN  ALL )",
    "SEARCH 99",
    "SEARCH NOT 5:99",
    "SEARCH 1,9 UNSEEN",
    'LIST  ""  "*" ',
    "APPEND INBOX  (\\Seen ) {5+}\r\nabc\r\n",
]


@pytest.mark.parametrize("command", TAKEN)
async def test_it_is_taken(imap: Imap, command: str) -> None:
    await imap.store.deliver(imap.mailbox_id, b"Subject: a\r\n\r\nb\r\n")
    client = await imap.select()
    await client.ok(command)


async def test_numbers_beyond_the_end_find_nothing(imap: Imap) -> None:
    await imap.store.deliver(imap.mailbox_id, b"Subject: a\r\n\r\nb\r\n")
    client = await imap.select()
    assert await client.ok("SEARCH 7") == [b"* SEARCH"]
    assert await client.ok("SEARCH 1,7:9") == [b"* SEARCH 1"]
    assert await client.ok("SEARCH NOT 7") == [b"* SEARCH 1"]
    assert (await client.last("FETCH 7 FLAGS")).startswith("BAD")


async def test_names(imap: Imap) -> None:
    client = await imap.log_in()
    for command in ("SELECT &AA", "EXAMINE &&&", "STATUS &AA (MESSAGES)", "CREATE &AA"):
        assert (await client.last(command)).startswith("NO "), command
    assert (await client.last("SELECT " + "&" * 60_000)).startswith("NO ")
    for name in ('"50% off"', '"a*b"', '"a*b/%"', "~foo", '"~{3}"'):
        await client.ok(f"CREATE {name}")
        await client.ok(f"SELECT {name}")
    for name in ("a/../b", "..", "./a", "a/."):
        assert await client.last(f"CREATE {name}") == "NO [CANNOT] that cannot be done with this name"
    assert await client.ok('LIST "" "a*b"') == [b'* LIST (\\HasChildren) "/" "a*b"']
    # the names of our own answer can be sent back as they stand
    for line in await client.ok('LIST "" "*"'):
        await client.ok(b"SELECT " + line.split(b' "/" ')[1])


async def test_a_password_that_begins_with_a_tilde(imap: Imap) -> None:
    imap.auth.add_mailbox("tilde@site.example", "~x")
    client = await imap.connect()
    await client.ok("LOGIN tilde@site.example ~x")


@pytest.mark.parametrize(
    "name", [b"{3+}\r\na\0b", b"a&AAA-b", b"{3+}\r\na\nb", b"\xff", b"&2AA-", b"{6+}\r\na\xed\xa0\x80bc"]
)
async def test_names_that_no_column_can_hold(imap: Imap, name: bytes) -> None:
    """A final answer, not a request to try again and not an internal error."""
    await imap.store.deliver(imap.mailbox_id, b"Subject: a\r\n\r\nb\r\n")
    client = await imap.select()
    for command in (
        b"CREATE %b",
        b"DELETE %b",
        b"RENAME %b New",
        b"RENAME Sent %b",
        b"SUBSCRIBE %b",
        b"UNSUBSCRIBE %b",
        b"STATUS %b (MESSAGES)",
        b'LIST "" %b',
        b'LSUB "" %b',
        b"COPY 1 %b",
        b"UID MOVE 1 %b",
        b"APPEND %b {3+}\r\nabc",
        b"EXAMINE %b",
        b"SELECT %b",
    ):
        answer = await client.last(command % name)
        assert "UNAVAILABLE" not in answer and "SERVERBUG" not in answer, (command, answer)
        assert answer.startswith(("NO ", "BAD ")) or command[:5] in (b"LIST ", b"LSUB ", b"UNSUB"), (command, answer)
