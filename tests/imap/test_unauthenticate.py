"""UNAUTHENTICATE (RFC 8437): nothing of the session before is left, and a setting turns it off."""

from .conftest import Imap

NEW = b"Subject: new\r\n\r\ntext\r\n"


async def test_notifications_end_with_the_login(imap: Imap) -> None:
    imap.shared["notify_seconds"] = 0.0
    client = await imap.select()
    await client.ok("ENABLE QRESYNC")
    await client.ok("NOTIFY SET (selected NONE) (personal (MessageNew MessageExpunge))")
    await client.ok("UNAUTHENTICATE")
    await imap.store.append(imap.mailbox_id, NEW, "Sent")
    imap.sessions[0].changed.set()
    await client.ok("LOGIN user@site.example secret")
    assert b"* 0 EXISTS" in await client.ok("SELECT INBOX")
    await imap.store.append(imap.mailbox_id, NEW)
    imap.sessions[0].changed.set()
    assert await client.ok("NOOP") == [b"* 1 EXISTS", b"* 1 RECENT"]  # as before NOTIFY, and nothing of Sent


async def test_it_can_be_turned_off(imap: Imap) -> None:
    imap.shared["unauthenticate"] = False
    client = await imap.log_in()
    assert b"UNAUTHENTICATE" not in (await client.ok("CAPABILITY"))[0]
    assert await client.last("UNAUTHENTICATE") == "BAD unknown command"
    await client.ok("SELECT INBOX")
