"""A session with a long answer lets the others run: their commands wait for blocks of it, not for all."""

import asyncio
from typing import Any

import pytest

from pop_imap_frontend.imap.folder.messages import BLOCK

from .conftest import Imap

BODY = b"Subject: a\r\n\r\nb\r\n"
COUNT = 100 * BLOCK
#: Limit of the blocks that are sent while another session answers a command that waits for nothing: a few turns of the loop.
MOST_BLOCKS = 20


async def filled(imap: Imap, count: int) -> None:
    """Copy the one message of INBOX, but for its body, until there are `count`."""
    await imap.store.append(imap.mailbox_id, BODY)
    await imap.store.pool.execute(
        "insert into mailstore.message (mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate) "
        "select mailbox_id, folder_id, n, body_id, prefix, size, flags, modseq, internaldate "
        "from mailstore.message cross join generate_series(2, $1::int) n",
        count,
    )
    await imap.store.pool.execute(
        "update mailstore.folder set uidnext = $1::int + 1, messages = $1::int, unseen = $1::int where name = 'INBOX'",
        count,
    )


@pytest.mark.parametrize("command", ["FETCH 1:* (FLAGS)", "NOOP"])
async def test_a_long_answer_lets_other_sessions_run(imap: Imap, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    await filled(imap, COUNT)
    busy, other = await imap.select(), await imap.log_in()
    if command == "NOOP":
        await imap.store.pool.execute("update mailstore.message set flags = 1, modseq = 1000")
        await imap.store.pool.execute("update mailstore.folder set highest_modseq = 1000")
    stream = imap.sessions[0].stream
    sent: list[int] = []
    write = stream.write

    def counted(data: Any) -> None:
        sent.append(len(data))
        write(data)

    monkeypatch.setattr(stream, "write", counted)
    answer = asyncio.create_task(busy.ok(command))
    while not sent:
        await asyncio.sleep(0)
    before = len(sent)
    await other.ok("NOOP")
    assert len(sent) - before < MOST_BLOCKS
    assert not answer.done()
    assert len(await answer) == COUNT
    assert len(sent) >= COUNT // BLOCK
