"""Client libraries against a running service: PyPI's imapclient and imap_tools, npm's imapflow."""

import json
import os
from pathlib import Path

import imap_tools
import imapclient
import pytest

from mailkit.testing.speed import patient
from tests.support.clients import imap, tls_context
from tests.support.run import Account, Run

from .tap import Tap
from .test_interop_readers import sh

_HERE = Path(__file__).parent


@pytest.fixture
def three(run: Run, user: Account) -> None:
    """Three messages in the INBOX: m0, m1, m2."""
    client = imap(run, user)
    for number in range(3):
        text = f"From: a@far.example\r\nTo: {user.address}\r\nSubject: m{number}\r\n\r\ntext {number}\r\n"
        assert client.append("INBOX", None, None, text.encode())[0] == "OK"
    client.logout()


@pytest.mark.usefixtures("three")
def test_imapclient(run: Run, user: Account, tap: Tap) -> None:
    client = imapclient.IMAPClient("localhost", tap.port("IMAPS"), ssl_context=tls_context(run))
    client.login(user.address, user.password)
    assert client.find_special_folder(b"\\Sent") == "Sent"
    assert client.namespace().personal == (("", "/"),)
    assert client.get_quota()[0].resource == "STORAGE"
    assert client.select_folder("INBOX")[b"EXISTS"] == 3
    found = client.fetch(client.search(["ALL"]), ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "RFC822.SIZE"])
    assert [found[uid][b"ENVELOPE"].subject for uid in sorted(found)] == [b"m0", b"m1", b"m2"]
    (uid,) = client.search(["SUBJECT", "m1"])
    client.add_flags([uid], [imapclient.FLAGGED, "$Label1"])
    assert client.get_flags([uid])[uid] == (b"\\Flagged", b"$Label1")
    client.create_folder("Entwürfe")
    client.move([uid], "Entwürfe")
    assert client.folder_status("Entwürfe", ["MESSAGES"]) == {b"MESSAGES": 1}
    client.idle()
    other = imap(run, user)
    other.append("INBOX", None, None, b"Subject: new\r\n\r\ntext\r\n")
    other.logout()
    assert (3, b"EXISTS") in client.idle_check(timeout=patient(30))
    client.idle_done()
    client.delete_messages(client.search(["SUBJECT", "m"]))
    client.uid_expunge(client.search(["DELETED"]))
    assert len(client.search(["ALL"])) == 1
    client.unselect_folder()
    client.logout()
    tap.check("imapclient")


@pytest.mark.usefixtures("three")
def test_imap_tools(run: Run, user: Account, tap: Tap) -> None:
    with imap_tools.MailBox("localhost", tap.port("IMAPS"), ssl_context=tls_context(run)).login(
        user.address, user.password
    ) as box:
        assert {folder.name for folder in box.folder.list()} >= {"INBOX", "Sent", "Trash"}
        assert [one.subject for one in box.fetch(mark_seen=False)] == ["m0", "m1", "m2"]
        assert [one.text.strip() for one in box.fetch(imap_tools.AND(subject="m2"), headers_only=False)] == ["text 2"]
        uids = box.uids()
        box.flag(uids[0], imap_tools.MailMessageFlags.FLAGGED, True)
        assert [one.uid for one in box.fetch(imap_tools.AND(flagged=True), mark_seen=False)] == [uids[0]]
        box.folder.create("Projekte/2026")
        box.copy(uids[1], "Projekte/2026")
        box.move(uids[2], "Projekte/2026")
        assert box.folder.status("Projekte/2026")["MESSAGES"] == 2
        box.append(b"Subject: new\r\n\r\ntext\r\n", "INBOX", flag_set=[imap_tools.MailMessageFlags.SEEN])
        box.delete(uids[:2])
        assert [one.subject for one in box.fetch(mark_seen=False)] == ["new"]
    tap.check("imap_tools")


@pytest.mark.usefixtures("three")
def test_imapflow(run: Run, user: Account, tap: Tap, tmp_path: Path) -> None:
    os.environ |= {"MAIL_USER": user.address, "MAIL_PASSWORD": user.password}
    script = str(_HERE / "imapflow" / "session.js")
    found = json.loads(sh("node", script, str(tap.port("IMAPS")), run.ca_file, home=tmp_path).stdout)
    assert found["subjects"] == ["m0", "m1", "m2"]
    assert "\\Sent" in found["folders"] and "\\Trash" in found["folders"]
    assert found["quota"]["storage"]["limit"] > 0
    assert found["source"].endswith("text 0\r\n")
    assert (found["flagged"], len(found["bySubject"]), found["moved"]) == ([1], 1, 1)
    assert found["status"]["messages"] == 2
    tap.check("imapflow")
