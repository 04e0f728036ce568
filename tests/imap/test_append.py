"""APPEND: what it refuses for good, and the date that is kept, shown and searched (RFC 3501 6.3.11, 2.3.3)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from pop_imap_frontend.imap.new_messages import with_crlf

from .conftest import Client, Imap

BODY = b"Subject: a\r\n\r\nb\r\n"
LIMIT = 1024 * 1024


def append(body: bytes, date: str = "") -> bytes:
    return b"APPEND INBOX %b{%d+}\r\n%b" % (f'"{date}" '.encode() if date else b"", len(body), body)


@pytest.mark.parametrize(
    "date", ["31-Dec-1969 23:00:00 +0000", " 1-Jan-1970 00:30:00 +0100", "31-Dec-9999 23:59:59 +0000"]
)
async def test_dates_that_cannot_be_kept_are_refused_for_good(imap: Imap, date: str) -> None:
    client = await imap.select()
    assert (await client.last(append(BODY, date))).startswith("NO [CANNOT]")
    assert await client.ok("SEARCH ALL") == [b"* SEARCH"]
    await client.ok(append(BODY, " 1-Jan-1970 00:00:00 +0000"))


async def test_a_message_that_outgrows_the_limit_is_refused_for_good(imap: Imap) -> None:
    client = await imap.select()
    assert (await client.last(append(b"\n" * (LIMIT - 1)))).startswith("NO [TOOBIG]")
    assert (await client.last(append(b"x" * (LIMIT + 1)))).startswith("NO [TOOBIG]")
    assert (await client.last(append(b"a\0b"))).startswith("BAD")
    await client.ok(append(b"\n" * (LIMIT // 2)))


@given(st.text("\r\na", max_size=12).map(str.encode))
def test_hypothesis_line_ends(raw: bytes) -> None:
    made = with_crlf(raw)
    assert made.count(b"\n") == made.count(b"\r") == made.count(b"\r\n")
    # a reader of any of the three line ends sees the same lines
    assert made.split(b"\r\n") == raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def test_line_ends_in_linear_time() -> None:
    assert growth(lambda size: b"\n" * size, with_crlf, 100_000) < MOST_GROWTH


async def dates(client: Client, number: int) -> tuple[datetime, list[int]]:
    """What INTERNALDATE shows, and for the days before, on and after it the number of messages found with ON."""
    (line,) = await client.ok(f"FETCH {number} INTERNALDATE")
    shown = datetime.strptime(line.decode().split('"')[1].strip(), "%d-%b-%Y %H:%M:%S %z")
    found = []
    for days in (-1, 0, 1):
        day = (shown + timedelta(days=days)).strftime("%d-%b-%Y")
        found.append(len((await client.ok(f"SEARCH {number} ON {day}"))[0].split()) - 2)
    return shown, found


async def test_internaldate_is_never_in_the_future_and_search_judges_it(imap: Imap) -> None:
    store = imap.store
    store.clock.current = datetime(2026, 3, 1, 23, 59, 59, 700_000, tzinfo=UTC)
    await store.deliver(imap.mailbox_id, BODY)
    client = await imap.select()
    await client.ok(append(BODY))
    await client.ok(append(BODY, " 1-Mar-2026 23:30:00 -0800"))
    await client.ok("NOOP")
    for number in (1, 2):
        shown, found = await dates(client, number)
        assert shown == datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
        assert found == [0, 1, 0]
    shown, found = await dates(client, 3)
    assert shown == datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
    assert found == [0, 1, 0]
    assert await client.ok("SEARCH BEFORE 2-Mar-2026") == [b"* SEARCH 1 2"]
    assert await client.ok("SEARCH SINCE 2-Mar-2026") == [b"* SEARCH 3"]
