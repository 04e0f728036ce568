"""Old mail is read from the object store; while the store is away, recent mail and open sessions are not affected (decision 138)."""

import asyncio
import os
import poplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bodystore import Mover
from bodystore.testing import ObjectServer, client, settings
from tests.support.clients import STRANGER, Imap, imap, pop3, smtp
from tests.support.mail import message, sized
from tests.support.run import Account, Run, running, wait_for
from tests.support.world import World

pytestmark = pytest.mark.single_machine  # a release has no object store of the test's own


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with ObjectServer().running() as server:
        yield server


@pytest.fixture(scope="module")
def url(server: ObjectServer) -> str:
    """The tests' own store; a real one whose URL is in POSTRIDER_TEST_OBJECTS (`make objectstore`)."""
    return os.environ.get("POSTRIDER_TEST_OBJECTS") or server.url


@pytest.fixture(scope="module")
def stored(world: World, url: str) -> Iterator[Run]:
    own = {name.removeprefix("POSTRIDER_"): value for name, value in settings(url).items()}
    with running(**world.settings(), **own) as run:
        yield run


def deliver(run: Run, user: Account, *texts: bytes) -> None:
    with smtp(run, STRANGER) as sender:
        for text in texts:
            sender.sendmail("", [user.address], text)
    reader = imap(run, user, select=None)
    want = f"MESSAGES {len(texts)})".encode()
    wait_for(lambda: want in reader.status("INBOX", "(MESSAGES)")[1][0] or None)


async def move(dsn: str, url: str) -> int:
    """Move all bodies, as in three days."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        mover = Mover(pool, client(url), age=timedelta(days=1), keep=timedelta(days=30))
        return await mover.move(datetime.now(UTC) + timedelta(days=3))


def body(reader: Imap, number: int) -> bytes:
    """Return the octets of a message after its trace fields."""
    status, data = reader.fetch(str(number), "(BODY.PEEK[])")
    assert status == "OK", data
    return data[0][1]  # type: ignore[index,return-value]


@pytest.mark.any_store
def test_old_mail_is_read_whole_and_in_parts(stored: Run, url: str) -> None:
    user = stored.mailbox(stored.domain())
    large = sized("a@far.example", user.address, 900_000)
    small = message("a@far.example", user.address, subject="an old one")
    deliver(stored, user, small, large)
    assert asyncio.run(move(stored.dsn, url)) >= 2
    reader = imap(stored, user)
    assert body(reader, 1).endswith(small) and body(reader, 2).endswith(large)
    _, data = reader.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert data[0][1] == b"Subject: an old one\r\n\r\n"  # type: ignore[index]
    _, data = reader.fetch("2", "(BODY.PEEK[TEXT]<700000.10>)")
    assert data[0][1] == large.partition(b"\r\n\r\n")[2][700_000:700_010]  # type: ignore[index]
    assert reader.search(None, "TEXT", '"bye"')[1] == [b"1"]
    pop = pop3(stored, user)
    assert b"\r\n".join(pop.retr(2)[1]).endswith(large.rstrip())
    pop.quit()
    assert reader.store("1:2", "+FLAGS", "(\\Deleted)")[0] == "OK" and reader.expunge()[0] == "OK"


def test_while_the_store_is_away(stored: Run, server: ObjectServer, url: str) -> None:
    user = stored.mailbox(stored.domain())
    old = message("a@far.example", user.address, subject="old")
    deliver(stored, user, old)
    assert asyncio.run(move(stored.dsn, url)) >= 1
    reader = imap(stored, user)
    pop = pop3(stored, user)
    server.status = 503
    try:
        status, data = reader.fetch("1", "(BODY.PEEK[])")
        assert status == "NO" and data[0].startswith(b"[UNAVAILABLE]"), data  # type: ignore[union-attr]
        with pytest.raises(poplib.error_proto, match=r"SYS/TEMP"):
            pop.retr(1)
        assert pop.noop().startswith(b"+OK")
        recent = message("a@far.example", user.address, subject="recent")
        with smtp(stored, STRANGER) as sender:
            sender.sendmail("", [user.address], recent)
        wait_for(lambda: reader.noop() and reader.untagged_responses.get("EXISTS", [b""])[-1] == b"2")
        assert body(reader, 2).endswith(recent)
        assert reader.fetch("1:2", "(FLAGS UID RFC822.SIZE ENVELOPE)")[0] == "OK"
    finally:
        server.status = 0
    assert body(reader, 1).endswith(old)
    assert b"\r\n".join(pop.retr(1)[1]).endswith(old.rstrip())


def test_without_the_settings_the_services_say_so(stored: Run, url: str) -> None:
    user = stored.mailbox(stored.domain())
    deliver(stored, user, message("a@far.example", user.address))
    assert asyncio.run(move(stored.dsn, url)) >= 1
    given = {name: stored.settings.pop(name) for name in [*stored.settings] if name.startswith("OBJECTS_")}
    stored.stop()
    try:
        with pytest.raises(AssertionError, match="POSTRIDER_OBJECTS_URL"):
            stored.start()
    finally:
        stored.settings |= given
        stored.close_process()
        stored.start()
    assert body(imap(stored, user), 1).endswith(b"bye\r\n")
