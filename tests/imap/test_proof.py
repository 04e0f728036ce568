"""A session whose proof of login has run out says "try again" and goes on once auth has renewed it (docs/decisions/0040)."""

import pytest

from mailkit.rpc.proof import LIFE

from .conftest import Imap


async def test_a_session_outlives_its_proof(imap: Imap, monkeypatch: pytest.MonkeyPatch) -> None:
    await imap.store.deliver(imap.mailbox_id, b"Subject: a\r\n\r\nb\r\n")
    client = await imap.select()
    good = imap.store.proof(imap.mailbox_id)
    monkeypatch.setattr(imap.store.front, "proof_of", lambda mailbox_id: good)
    assert (await client.last("FETCH 1 (BODY.PEEK[])")).startswith("OK")
    imap.store.pass_time(LIFE)
    for command in ("FETCH 1 (BODY.PEEK[])", "STATUS INBOX (MESSAGES)", 'LIST "" "*"', "SEARCH TEXT b", "CHECK"):
        assert (await client.last(command)).startswith("NO [UNAVAILABLE]"), command
    good = imap.store.proof(imap.mailbox_id)
    assert (await client.last("FETCH 1 (BODY.PEEK[])")).startswith("OK")


async def test_a_proof_opens_one_mailbox(imap: Imap, monkeypatch: pytest.MonkeyPatch) -> None:
    """A front end that mixes up its sessions opens nothing."""
    imap.auth.add_mailbox("other@site.example", "secret")
    client = await imap.log_in("other@site.example")
    monkeypatch.setattr(imap.store.front, "proof_of", lambda _: imap.store.proof(imap.mailbox_id))
    assert (await client.last("SELECT INBOX")).startswith("NO [UNAVAILABLE]")
