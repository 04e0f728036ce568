"""Thunderbird as its users have it: read, search, flag, move, delete, send, and come back after another client (`make interop-web`)."""

import email
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.sessions import Postrider
from tests.interop.tap import Tap
from tests.support.clients import imap, inbox
from tests.support.run import Account, Run, running, wait_for

from .thunderbird import Thunderbird

pytestmark = [pytest.mark.interop]
MESSAGES = 200
_STATES = "messages(folder('INBOX')).map(each => [each.mime2DecodedSubject, each.isRead, each.isFlagged]).sort()"


@pytest.fixture
def run() -> Iterator[Run]:
    with running(POP3_LOGIN_DELAY_SECONDS="0", LIMIT_EXEMPT_NETWORKS="127.0.0.0/8") as made:
        yield made


def _message(number: int) -> bytes:
    return (
        f"From: s{number}@far.example\r\nTo: user@near.example\r\nSubject: subject {number:03d}\r\n"
        f"Date: 1 Mar 2026 10:00:00 +0000\r\nMessage-ID: <{number}@far.example>\r\n\r\ntext of {number}\r\n"
    ).encode()


def test_a_day_with_thunderbird(run: Run, tmp_path: Path) -> None:
    user = run.mailbox(run.domain())
    friend = run.mailbox(user.domain, "friend")
    Postrider(run, user, [_message(number) for number in range(MESSAGES)]).close()
    tap = Tap(run)
    port = tap.port("IMAPS")
    client = Thunderbird(tmp_path)
    try:
        client.add_account(run, user, port)
        _reads(client)
        _changes(run, client, user)
        _sends(run, client, user, friend)
    finally:
        client.close()
    _another_client(run, user)
    client = Thunderbird(tmp_path)
    try:
        _comes_back(run, client, user)
    finally:
        client.close()
    tap.check("Thunderbird")
    tap.close()


def _reads(client: Thunderbird) -> None:
    client.wait("folder('INBOX') && folder('Archive') && folder('Trash')", "the folders are listed")
    client.run("folder('INBOX').updateFolder(null)")
    client.wait(f"messages(folder('INBOX')).length == {MESSAGES}", "the headers are there")
    text = """
        const {MsgHdrToMimeMessage} = ChromeUtils.importESModule("resource:///modules/gloda/MimeMessage.sys.mjs");
        const header = message(folder("INBOX"), args[0]);
        return await new Promise(resolve => MsgHdrToMimeMessage(header, null,
            (_, whole) => resolve(whole.coerceBodyToPlaintext(folder("INBOX"))), true));
    """
    assert "text of 7" in client.run(text, "subject 007")


def _changes(run: Run, client: Thunderbird, user: Account) -> None:
    client.run("""
        folder("INBOX").markMessagesRead([message(folder("INBOX"), "subject 001")], true);
        folder("INBOX").markMessagesFlagged([message(folder("INBOX"), "subject 002")], true);
        server().rootFolder.createSubfolder("Kunden", null);
    """)
    client.wait("folder('Kunden')", "the folder is made")
    copy = """
        await ended(listener => MailServices.copy.copyMessages(folder("INBOX"), [message(folder("INBOX"), args[0])],
            folder(args[1]), args[2], listener, null, false));
    """
    client.run(copy, "subject 003", "Kunden", True)
    client.run(copy, "subject 004", "Archive", False)
    client.run("""
        await ended(listener => folder("INBOX").deleteMessages([message(folder("INBOX"), "subject 005")], null, false, false,
            listener, false));
    """)
    wait_for(lambda: _count(run, user, "INBOX", "SEEN", "SUBJECT", '"subject 001"') == 1, why="marked as read")
    wait_for(lambda: _count(run, user, "INBOX", "FLAGGED", "SUBJECT", '"subject 002"') == 1, why="flagged")
    wait_for(lambda: _count(run, user, "Kunden", "SUBJECT", '"subject 003"') == 1, why="moved")
    wait_for(lambda: _count(run, user, "Archive", "SUBJECT", '"subject 004"') == 1, why="copied")
    wait_for(lambda: _count(run, user, "Trash", "SUBJECT", '"subject 005"') == 1, why="deleted: moved to Trash")
    assert _count(run, user, "INBOX", "UNDELETED") == MESSAGES - 2


def _sends(run: Run, client: Thunderbird, user: Account, friend: Account) -> None:
    client.run(
        """
        const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
        [fields.from, fields.to, fields.subject, fields.body] = [args[0], args[1], "Grüße", "written in Thunderbird\\n"];
        const parameters = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
        [parameters.composeFields, parameters.format] = [fields, Ci.nsIMsgCompFormat.PlainText];
        const compose = Cc["@mozilla.org/messengercompose/compose;1"].createInstance(Ci.nsIMsgCompose);
        compose.initialize(parameters, null, null);
        const account = MailServices.accounts.defaultAccount;
        await compose.sendMsg(Ci.nsIMsgCompDeliverMode.Now, account.defaultIdentity, account.key, null, null);
        """,
        user.address,
        friend.address,
    )
    got = wait_for(lambda: inbox(run, friend), 60)[0]
    read = email.message_from_bytes(got, policy=email.policy.default)
    assert (read["Subject"], read.get_content().strip()) == ("Grüße", "written in Thunderbird"), got
    wait_for(lambda: _count(run, user, "Sent") == 1, why="a copy is in Sent")


def _another_client(run: Run, user: Account) -> None:
    """While Thunderbird is away: flags change, one message goes and one comes."""
    other = imap(run, user)
    try:
        other.store("10", "+FLAGS", r"(\Flagged)")
        other.store("11", "+FLAGS", r"(\Seen)")
        other.store("12", "+FLAGS", r"(\Deleted)")
        other.expunge()
        other.append("INBOX", "", "", _message(900))  # type: ignore[arg-type]
    finally:
        other.logout()


def _comes_back(run: Run, client: Thunderbird, user: Account) -> None:
    """Its view of the folder, kept in its profile, becomes equal to a fresh one; then new mail comes without being asked for."""
    client.log_in(user)
    client.run("folder('INBOX').updateFolder(null)")
    client.wait(f"JSON.stringify({_STATES}) == JSON.stringify(args[0])", "the view is a fresh one's", _fresh(run, user))
    other = imap(run, user)
    try:
        other.append("INBOX", "", "", _message(901))  # type: ignore[arg-type]
    finally:
        other.logout()
    client.wait("message(folder('INBOX'), 'subject 901')", "new mail is announced in IDLE")


def _fresh(run: Run, user: Account) -> list[list[object]]:
    """Subject, \\Seen and \\Flagged of each message of INBOX as a new session has them."""
    other = imap(run, user)
    try:
        fresh: list[list[object]] = []
        for line in other.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
            if isinstance(line, tuple):
                subject = line[1].decode().strip().removeprefix("Subject: ")
                fresh.append([subject, b"\\Seen" in line[0], b"\\Flagged" in line[0]])
    finally:
        other.logout()
    return sorted(fresh)


def _count(run: Run, user: Account, name: str, *keys: str) -> int:
    """Number of messages in a folder that match search keys."""
    client = imap(run, user, select=name)
    try:
        return len(client.search(None, *(keys or ("ALL",)))[1][0].split())
    finally:
        client.logout()
